"""Routes of the pages. Their access rules are in `config/access.py`, as those of all routes."""

from django.urls import include, path

from tenant_apps.desk.brand.view import BrandStyle, Logo
from tenant_apps.desk.refusals.view import Refusals
from tenant_apps.desk.sign_in.provider import FromProvider, ToProvider
from tenant_apps.desk.sign_in.view import Entry, ForgotPassword, Impersonate, SetPassword, SignIn, SignOut
from tenant_apps.desk.today.view import Today, TodayLive

app_name = "desk"
urlpatterns = [
    path("", Entry.as_view(), name="entry"),
    path("sign-in", SignIn.as_view(), name="sign-in"),
    path("brand.css", BrandStyle.as_view(), name="brand"),
    path("logo", Logo.as_view(), name="logo"),
    path("sign-in/provider", ToProvider.as_view(), name="sign-in-provider"),
    path("sign-in/provider/return", FromProvider.as_view(), name="sign-in-return"),
    path("sign-out", SignOut.as_view(), name="sign-out"),
    path("forgot-password", ForgotPassword.as_view(), name="forgot-password"),
    path("set-password", SetPassword.as_view(), name="set-password"),
    path("impersonate", Impersonate.as_view(), name="impersonate"),
    path("desk", Today.as_view(), name="today"),
    path("desk/live", TodayLive.as_view(), name="today-live"),
    path("desk/refusals", Refusals.as_view(), name="refusals"),
    path("", include("tenant_apps.desk.account.urls")),
    path("", include("tenant_apps.desk.students.urls")),
    path("", include("tenant_apps.desk.schedule.urls")),
    path("", include("tenant_apps.desk.promotions.urls")),
    path("", include("tenant_apps.desk.office.urls")),
    path("", include("tenant_apps.desk.kiosk.urls")),
    path("", include("tenant_apps.desk.family.urls")),
]
