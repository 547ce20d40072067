"""Routes that every host has."""

from django.urls import path

from shared_apps.accounts import views

sign_in_patterns = [
    path("auth/login", views.Login.as_view(), name="login"),
    path("auth/refresh", views.Refresh.as_view(), name="refresh"),
    path("auth/logout", views.Logout.as_view(), name="logout"),
    path("auth/password", views.ChangePassword.as_view(), name="password"),
    path("auth/password/reset", views.RequestPasswordReset.as_view(), name="password-reset"),
    path("auth/password/reset/confirm", views.ConfirmPasswordReset.as_view(), name="password-reset-confirm"),
]
audit_patterns = [path("audit", views.AuditLog.as_view(), name="audit")]
api_key_patterns = [
    path("api-keys", views.ApiKeyCollection.as_view(), name="api-keys"),
    path("api-keys/<uuid:id>", views.ApiKeyDetail.as_view(), name="api-key"),
]
shared_patterns = [*sign_in_patterns, *audit_patterns, *api_key_patterns]
urlpatterns = [
    *shared_patterns,
    path("me", views.Me.as_view(), name="me"),
    path("users", views.UserCollection.as_view(), name="users"),
    path("users/<uuid:id>", views.UserResource.as_view(), name="user"),
]
