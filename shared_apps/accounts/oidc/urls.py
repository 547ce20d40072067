"""Routes of a dojo's host. The platform has no identity provider."""

from django.urls import path

from shared_apps.accounts.oidc import views

urlpatterns = [
    path("auth/oidc/start", views.Start.as_view(), name="oidc-start"),
    path("auth/oidc/callback", views.Callback.as_view(), name="oidc-callback"),
    path("auth/oidc/token", views.Redeem.as_view(), name="oidc-token"),
    path("identity-provider", views.IdentityProviderView.as_view(), name="identity-provider"),
    path("users/<uuid:id>/identities", views.UserIdentities.as_view(), name="user-identities"),
]
