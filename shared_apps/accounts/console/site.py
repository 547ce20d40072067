"""The site: who is let in, by which cookie, and what every page of it has in common.

Nothing of it is a middleware: cookies, CSRF and messages are looked at for its own pages alone, so that a request to
the API never sees them.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.messages.storage.cookie import CookieStorage
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse, TemplateResponse
from django.urls import URLPattern, URLResolver, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_protect
from unfold.sites import UnfoldAdminSite

from shared_apps.accounts.console.forms import SignInForm
from shared_apps.accounts.console.sign_in import LIVES, Visit, find_visit, sign_in, sign_out
from tatami import clock
from tatami.api.exception_mapping import error_response
from tatami.api.request import AnonymousCaller, client_address
from tatami.errors import InvalidCredentials, PermissionDenied, Throttled
from tatami.observability import bind_user

COOKIE: Final = "tatami_console"
PATH: Final = "/console/"
_ON_EVERY_PAGE: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
}

View = Callable[..., HttpResponseBase]


def guarded(view: View) -> View:
    """Return the view with a visitor, his messages and CSRF protection, and with no transaction around it."""

    @csrf_protect
    @wraps(view)
    def inner(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        request.visit = find_visit(request.COOKIES.get(COOKIE, ""), now=clock.now())
        request.user = request.visit.user if request.visit else AnonymousCaller()
        if request.visit:
            bind_user(request, request.user.pk)
        messages = request._messages = CookieStorage(request)
        response = view(request, *args, **kwargs)
        if isinstance(response, SimpleTemplateResponse):
            response = response.render()
        messages.update(response)
        for name, value in _ON_EVERY_PAGE.items():
            response.headers[name] = value
        return response

    return transaction.non_atomic_requests(using="default")(inner)


def visit_of(request: HttpRequest) -> Visit:
    """Return who asks. Only for pages that `ConsoleSite.has_permission` has let him see."""
    visit = getattr(request, "visit", None)
    if visit is None:
        raise PermissionDenied
    found: Visit = visit
    return found


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Refuse a form that was not made by this console. Django's CSRF_FAILURE_VIEW."""
    return error_response(
        PermissionDenied(f"This form was not sent from this page. {reason}".strip()), request
    )


class ConsoleSite(UnfoldAdminSite):  # type: ignore[misc]
    """Django's admin for superadmins. It has no log of its own: what is done here stands in our audit."""

    login_form = SignInForm
    index_title = "Dojos"
    enable_nav_sidebar = False
    final_catch_all_view = False

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Return the pages, each of them guarded; without those that we have no use for."""
        found: list[URLPattern | URLResolver] = super().get_urls()
        _guard(found)
        return found

    def has_permission(self, request: HttpRequest) -> bool:
        """Say whether the visitor is signed in; only superadmins ever are."""
        return getattr(request, "visit", None) is not None

    def get_log_entries(self, request: HttpRequest) -> "QuerySet[LogEntry]":
        """Return nothing: Django's log has no table here."""
        return LogEntry.objects.none()

    def index(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Lead to the dojos, which is what one comes for."""
        return HttpResponseRedirect(reverse("admin:tenants_tenant_changelist"))

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the form, and sign in by it."""
        wanted = request.GET.get("next", "")
        onward = wanted if url_has_allowed_host_and_scheme(wanted, None) else reverse("admin:index")
        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(onward)
        form = SignInForm(request.POST if request.method == "POST" else None)
        cookie = _signed_in(form, request)
        if cookie is None:
            shown = {"title": "Sign in", "form": form, "app_path": request.get_full_path()}
            context = {**self.each_context(request), **shown, **(extra_context or {})}
            return TemplateResponse(request, "admin/login.html", context)
        response = HttpResponseRedirect(onward)
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=LIVES,
            path=PATH,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
        return response

    def logout(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """End the session, by a form of this page alone."""
        if request.method == "POST":
            sign_out(visit_of(request), now=clock.now())
        response = HttpResponseRedirect(reverse("admin:login" if request.method == "POST" else "admin:index"))
        if request.method == "POST":
            response.delete_cookie(COOKIE, path=PATH, samesite="Lax")
        return response


_LEFT_OUT: Final = frozenset(
    {None, "password_change", "password_change_done", "autocomplete", "search", "view_on_site"}
)
"""Routes of Django's and unfold's that lead to what we do not have; those without a name are addresses of old."""


def _guard(patterns: list[URLPattern | URLResolver]) -> None:
    patterns[:] = [one for one in patterns if isinstance(one, URLResolver) or one.name not in _LEFT_OUT]
    for one in patterns:
        if isinstance(one, URLResolver):
            _guard(one.url_patterns)
        else:
            one.callback = guarded(one.callback)


def _signed_in(form: SignInForm, request: HttpRequest) -> str | None:
    """Return the cookie's value, or None with the form saying why not."""
    if not form.is_bound or not form.is_valid():
        return None
    given = form.cleaned_data
    try:
        return sign_in(
            email=given["username"],
            password=given["password"],
            address=client_address(request),
            now=clock.now(),
        )
    except (InvalidCredentials, Throttled) as refusal:
        form.add_error(None, refusal.message)
        return None


console: Final = ConsoleSite(name="admin")
