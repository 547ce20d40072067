"""What every kind of host answers: its own description."""

from django.urls import path

from tatami.api.schema import Docs, OpenApi

urlpatterns = [
    path("openapi.json", OpenApi.as_view(), name="openapi"),
    path("docs", Docs.as_view(), name="docs"),
]
