"""The pages of the own account. All roles have the same."""

from django.urls import path

from tenant_apps.desk.account import view

urlpatterns = [
    path("desk/account", view.Account.as_view(), name="account"),
    path("desk/account/name", view.AccountName.as_view(), name="account-name"),
    path("desk/account/password", view.ChangePassword.as_view(), name="account-password"),
    path("desk/account/calendar", view.AccountCalendar.as_view(), name="account-calendar"),
    path("desk/account/news", view.AccountNews.as_view(), name="account-news"),
    path("desk/account/recovery-codes", view.RecoveryCodes.as_view(), name="account-codes"),
    path("desk/account/sessions/end", view.EndOtherSessions.as_view(), name="account-sessions-end"),
    path("desk/account/sessions/<uuid:id>/end", view.EndSession.as_view(), name="account-session-end"),
    path("desk/account/second-factors/new/<slug:kind>", view.NewFactor.as_view(), name="account-factor-new"),
    path(
        "desk/account/second-factors/<uuid:id>/confirm",
        view.ConfirmFactor.as_view(),
        name="account-factor-confirm",
    ),
    path(
        "desk/account/second-factors/<uuid:id>/remove",
        view.RemoveFactor.as_view(),
        name="account-factor-remove",
    ),
]
