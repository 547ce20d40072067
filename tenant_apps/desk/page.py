"""The base of all pages: session, access, CSRF protection, security headers, and errors as pages.

    class Students(Page):
        template_name = "desk/students/list.html"

        def context(self) -> dict[str, Any]:
            return {"students": self.ask("students", query={"search": self.query("search")})}

GET renders `context()` in one transaction. POST runs `submit()` outside a transaction: each request to the API that it
sends commits by itself, as a client's does. Access to a page is in the access table (`config/access.py`), as for every
route. A page whose route is public has no user unless someone is signed in.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from http import HTTPStatus
from secrets import token_urlsafe
from typing import Any, ClassVar, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.messages.storage.cookie import CookieStorage
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.decorators import decorator_from_middleware
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.generic import View

from tatami import clock
from tatami.api.exception_mapping import HANDLED_EXCEPTIONS, error_response, map_exception
from tatami.api.permissions import rule_of
from tatami.errors import DomainError, MethodNotAllowed, PermissionDenied, ServerError
from tatami.observability import bind_user
from tatami.tenancy.hosts import origin
from tatami.tenancy.scope import current_tenant
from tenant_apps.desk import api
from tenant_apps.desk.api import Refused
from tenant_apps.desk.error_pages import fault_sentences
from tenant_apps.desk.forms import ApiForm
from tenant_apps.desk.navigation import Entry, navigation
from tenant_apps.desk.sessions import PageSession, find_page_session

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'{script}; style-src 'self' 'nonce-{nonce}'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; media-src 'self' blob:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class ListPage:
    """A page of a list of the API: its rows, the number of rows on all pages, and where it is, from 1."""

    rows: list[dict[str, Any]]
    count: int
    number: int
    pages: int

    @property
    def place(self) -> dict[str, int]:
        """What `parts/pager.html` shows."""
        return {"number": self.number, "pages": self.pages}


class _CsrfMiddleware(CsrfViewMiddleware):
    """Django's, which also accepts the dojo's public address as Origin: a proxy may terminate TLS."""

    def _origin_verified(self, request: HttpRequest) -> bool:
        return request.META.get("HTTP_ORIGIN") == origin() or bool(super()._origin_verified(request))  # type: ignore[misc]


csrf_protect = decorator_from_middleware(_CsrfMiddleware)


class Page(View):
    """A page. Subclasses name their template and override `context` or `submit`, or both."""

    checks_access_table: ClassVar[bool] = True
    """Read by `tatami.api.routes`: the access table applies to this view."""
    template_name: ClassVar[str] = ""
    section: ClassVar[str] = ""
    """The entry of the navigation that is marked as current: the name of its route without `desk:`."""
    script_policy: ClassVar[str] = ""
    """More sources of scripts; the kiosk needs `'wasm-unsafe-eval'`."""

    reads_in_transaction: ClassVar[bool] = True
    """False: what the page reads is not the dojo's alone (rows of the platform, an identity provider)."""

    session: PageSession | None = None
    user: Any = None
    reads_together = False
    status: int = HTTPStatus.OK
    """The status of the response to a GET: 400 if a filter was refused and the page shows why."""
    now: datetime
    today: date
    nonce: str

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Return the view function, with CSRF protection, and without a transaction around it."""
        return transaction.non_atomic_requests(using="default")(csrf_protect(super().as_view(**initkwargs)))

    @classmethod
    def page_methods(cls) -> list[str]:
        """Return the methods that this page answers. Read by `tatami.api.routes`."""
        return [
            *(
                ["GET"]
                if cls.context is not Page.context or cls.template_name or cls.get is not Page.get
                else []
            ),
            *(["POST"] if cls.submit is not Page.submit else []),
        ]

    @property
    def token(self) -> Any:
        """The session, as API views read it (`request.auth.session_id`)."""
        return (self.session.token or self.session) if self.session else None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Find the session, check access, and respond. Refusals become pages; unexpected exceptions propagate."""
        self.now, self.nonce = clock.now(), token_urlsafe(16)
        self.today = clock.tenant_date(self.now)
        self.messages = request._messages = CookieStorage(request)  # type: ignore[attr-defined]
        try:
            self.session = find_page_session(request, now=self.now)
            self.user = self.session.user if self.session else None
            if self.user is not None:
                bind_user(request, self.user.pk)
            refused = self.check_access()
            response = refused or self.respond()
        except (Refused, *HANDLED_EXCEPTIONS) as error:
            response = self.error_response(map_exception(error) or ServerError())
        self.messages.update(response)
        response.headers.setdefault("Cache-Control", "no-store")
        policy = CONTENT_SECURITY_POLICY.format(nonce=self.nonce, script=self.script_policy)
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("X-Frame-Options", "DENY")
        return response

    def check_access(self) -> HttpResponseBase | None:
        """Return a redirect to the sign-in if it is needed, else `None`.

        Raises `PermissionDenied`, and `MethodNotAllowed`.
        """
        method = "GET" if self.request.method == "HEAD" else self.request.method
        if method not in self.page_methods():
            raise MethodNotAllowed
        if self.may(str(self.request.resolver_match.view_name), str(self.request.method)):  # type: ignore[union-attr]
            return None
        if self.user is not None:
            raise PermissionDenied
        if self.is_fragment:
            # htmx follows a redirect and would put the sign-in page into this one.
            return HttpResponse(status=HTTPStatus.NO_CONTENT, headers={"HX-Redirect": self.sign_in_url()})
        return HttpResponseRedirect(self.sign_in_url())

    def sign_in_url(self) -> str:
        """Return the sign-in page, which leads back to this one."""
        back = self.request.get_full_path() if self.request.method == "GET" else "/"
        return f"{reverse('desk:sign-in')}?{urlencode({'next': back})}"

    def may(self, route: str, method: str = "GET") -> bool:
        """Return whether the user's role may call a method of a page or of a route of the API."""
        rule = rule_of(route, method)
        if rule is None or (rule.no_impersonation and getattr(self.user, "impersonator", None)):
            return False
        return rule.visibility_for(getattr(self.user, "role", None)) is not None

    def respond(self) -> HttpResponseBase:
        """Call `get`, in a transaction, or `submit`."""
        if self.request.method not in {"GET", "HEAD"}:
            try:
                return self.submit()
            except Refused as error:
                return self.show_refusal(error)
        if not self.reads_in_transaction:
            return self.get()
        with transaction.atomic():
            self.reads_together = True
            return self.get()

    @property
    def navigation(self) -> list[Entry]:
        """The entries of the navigation for the user."""
        return navigation(self.may)

    # --- what pages override ------------------------------------------------------------------------------------------

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        """Respond to a GET: the template with `context()`."""
        context = self.context()
        return self.render(context, status=self.status)

    def context(self) -> dict[str, Any]:
        """Return what the template shows."""
        return {}

    def read_context(self) -> dict[str, Any]:
        """Return `context()` for a page that a POST shows again: in a transaction, as for a GET."""
        if not self.reads_in_transaction:
            return self.context()
        with transaction.atomic():
            self.reads_together = True
            try:
                return self.context()
            finally:
                self.reads_together = False

    def submit(self) -> HttpResponseBase:
        """Respond to a POST. Redirect after success; `render` the form again with its errors after a refusal."""
        raise NotImplementedError

    def show_refusal(self, error: Refused) -> HttpResponse:
        """Respond to a POST that the API refused, if `submit` has no form for it: the page again, and why, above it.

        Raises `error` if the page cannot be shown: what it is about is gone, it has no GET or no `context` of its own,
        or it is a part of another one, where a toast says why.
        """
        is_gone = error.status == HTTPStatus.NOT_FOUND or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        has_context = type(self).context is not Page.context
        if is_gone or self.is_fragment or not self.template_name or not has_context:
            raise error
        self.say(error.sentence, "error")
        return self.render(self.read_context(), status=error.status)

    # --- what pages call ------------------------------------------------------------------------------------------

    def ask(self, route: str, *, query: Mapping[str, Any] | None = None, **keys: UUID | str) -> Any:
        """Return the body of a GET of the API. Raises `Refused`."""
        return api.ask(self, route, query=query, **keys)

    def ask_page(
        self, route: str, *, page_size: int, query: Mapping[str, Any] | None = None, **keys: UUID | str
    ) -> "ListPage":
        """Return the page of a list that the address asks for (`?page=`). Raises `Refused`.

        What is no number is the first page.
        """
        number = self.page_number
        asked = {**(query or {}), "page": number, "page_size": page_size}
        found = self.ask(route, query=asked, **keys)
        return ListPage(found["results"], found["count"], number, -(-found["count"] // page_size))

    def ask_filtered(
        self, filters: ApiForm, route: str, *, query: Mapping[str, Any] | None = None, **keys: UUID | str
    ) -> Any:
        """Return the body of a GET whose query a person has entered into `filters`, a bound form.

        If the API refuses the query, return `None`: its messages then stand at the fields, and the page has the status
        400. Raises `Refused` for all else.
        """
        filters.is_valid()
        try:
            with transaction.atomic():  # A refusal must not break the transaction of the page.
                return self.ask(route, query=query, **keys)
        except Refused as error:
            if error.status != HTTPStatus.BAD_REQUEST:
                raise
            filters.add_refusal(error)
            self.status = error.status
            return None

    def fetch(
        self, route: str, *, query: Mapping[str, Any] | None = None, accept: str = "*/*", **keys: UUID | str
    ) -> HttpResponseBase:
        """Return the response to a GET of the API as it is: a file for the browser. Raises `Refused`."""
        return api.fetch(self, route, query=query, accept=accept, **keys)

    def send(
        self,
        method: str,
        route: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        **keys: Any,
    ) -> Any:
        """Send a write to the API; return the body of the response. Raises `Refused`."""
        return api.send(self, method, route, body, query=query, **keys)

    def send_file(
        self, route: str, content: bytes, *, query: Mapping[str, Any] | None = None, **keys: UUID | str
    ) -> Any:
        """POST a file to the API; return the body of the response. Raises `Refused`."""
        return api.send_file(self, route, content, query=query, **keys)

    def query(self, name: str, default: str = "") -> str:
        """Return a query parameter."""
        return self.request.GET.get(name, default)

    def query_number(self, name: str, default: int) -> int:
        """Return a query parameter that is a whole number of at most nine digits; `default` for all other texts."""
        asked = self.query(name)
        return int(asked) if _WHOLE_NUMBER.fullmatch(asked) else default

    @property
    def page_number(self) -> int:
        """The page of a list that is asked for; 1 if the query names none."""
        return self.query_number("page", 1)

    @property
    def is_fragment(self) -> bool:
        """Whether htmx asks for a part of the page."""
        return self.request.headers.get("HX-Request") == "true"

    def render(self, context: Mapping[str, Any], *, template: str = "", status: int = 200) -> HttpResponse:
        """Return the page, or a fragment of it if `template` names one."""
        return HttpResponse(self.render_text(context, template=template), status=status)

    def render_text(self, context: Mapping[str, Any], *, template: str = "") -> str:
        """Return the rendered template, with what every page shows."""
        shared = {
            "page": self,
            "user": self.user,
            "dojo": current_tenant(),
            "today": self.today,
            "now": self.now,
            "csp_nonce": self.nonce,
        }
        return render_to_string(template or self.template_name, {**shared, **context}, self.request)

    def redirect(self, route: str, message: str = "", **keys: Any) -> HttpResponse:
        """Redirect to a page, which shows `message` once. htmx loads the page instead of swapping a part."""
        if message:
            self.say(message)
        target = route if route.startswith("/") else reverse(route, kwargs=keys)
        if self.is_fragment:
            return HttpResponse(headers={"HX-Redirect": target})
        return HttpResponseRedirect(target)

    def say(self, message: str, level: str = "success") -> None:
        """Show a message on the next page that is rendered. `level` is `success`, `warning` or `error`."""
        self.messages.add({"success": 25, "warning": 30, "error": 40}[level], message)

    def local_target(self, wanted: str, default: str) -> str:
        """Return `wanted` if it is an address of this host, else `default`."""
        return wanted if url_has_allowed_host_and_scheme(wanted, None) else default

    def error_response(self, error: DomainError) -> HttpResponse:
        """Return the page of an error, or for htmx a message that the page shows as a toast."""
        if self.is_fragment:
            message = " ".join([error.message, *fault_sentences(error)])
            text = render_to_string("desk/parts/toast.html", {"message": message, "level": "error"})
            headers = {"HX-Retarget": "#toasts", "HX-Reswap": "beforeend"}
            return HttpResponse(text, status=error.status, headers=headers)
        return error_response(error, self.request)
