"""Routes that every host has."""

from django.urls import path

from shared_apps.accounts import second_factor_views, views

sign_in_patterns = [
    path("auth/login", views.Login.as_view(), name="login"),
    path("auth/refresh", views.Refresh.as_view(), name="refresh"),
    path("auth/logout", views.Logout.as_view(), name="logout"),
    path("auth/password", views.ChangePassword.as_view(), name="password"),
    path("auth/password/reset", views.RequestPasswordReset.as_view(), name="password-reset"),
    path("auth/password/reset/confirm", views.ConfirmPasswordReset.as_view(), name="password-reset-confirm"),
]
audit_patterns = [path("audit", views.AuditLog.as_view(), name="audit")]
second_factor_patterns = [
    path("auth/second-factor", second_factor_views.SecondStep.as_view(), name="second-step"),
    path(
        "auth/second-factor/enrolment",
        second_factor_views.EnrolmentByChallenge.as_view(),
        name="second-factor-enrolment",
    ),
    path("auth/passkey/options", second_factor_views.PasskeyOptions.as_view(), name="passkey-options"),
    path("auth/passkey", second_factor_views.PasskeySignIn.as_view(), name="passkey-sign-in"),
    path("me/second-factors", second_factor_views.OwnSecondFactors.as_view(), name="second-factors"),
    path("me/second-factors/<uuid:id>", second_factor_views.OwnSecondFactor.as_view(), name="second-factor"),
    path(
        "me/second-factors/<uuid:id>/confirmation",
        second_factor_views.Confirmation.as_view(),
        name="second-factor-confirmation",
    ),
    path("me/recovery-codes", second_factor_views.RecoveryCodes.as_view(), name="recovery-codes"),
    path("me/sessions", second_factor_views.OwnSessions.as_view(), name="own-sessions"),
    path("me/sessions/<uuid:id>", second_factor_views.OwnSession.as_view(), name="own-session"),
    path(
        "users/<uuid:id>/second-factors",
        second_factor_views.UserSecondFactors.as_view(),
        name="user-second-factors",
    ),
    path("sign-in-policy", second_factor_views.Policy.as_view(), name="sign-in-policy"),
]
api_key_patterns = [
    path("api-keys", views.ApiKeyCollection.as_view(), name="api-keys"),
    path("api-keys/<uuid:id>", views.ApiKeyDetail.as_view(), name="api-key"),
]
shared_patterns = [*sign_in_patterns, *audit_patterns, *api_key_patterns, *second_factor_patterns]
urlpatterns = [
    *shared_patterns,
    path("me", views.Me.as_view(), name="me"),
    path("users", views.UserCollection.as_view(), name="users"),
    path("users/<uuid:id>", views.UserResource.as_view(), name="user"),
]
