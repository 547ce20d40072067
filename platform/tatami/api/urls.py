"""Routes of every host: the OpenAPI document and its page."""

from django.urls import path

from tatami.api.openapi.views import DocsView, OpenApiView

urlpatterns = [
    path("openapi.json", OpenApiView.as_view(), name="openapi"),
    path("docs", DocsView.as_view(), name="docs"),
]
