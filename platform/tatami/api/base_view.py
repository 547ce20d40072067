"""The base class of all API views: the order of the checks, and the transaction.

Checks run in this order: 405, then 413, then 401, 403, then 406 and 400 (`format`), then 415 and 400 (body), then the
idempotency key. Then the method of the view runs. The response is encoded inside the transaction, so a response that
cannot be encoded rolls the change back.
"""

from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import Any, ClassVar, Final

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.mediatypes import media_type_matches
from rest_framework.views import APIView

from tatami import clock
from tatami.api.audit import audit_request
from tatami.api.body_middleware import MAX_BODY_BYTES, check_body_size
from tatami.api.exception_mapping import HANDLED_EXCEPTIONS
from tatami.api.idempotency import IdempotentRequest
from tatami.api.openapi.spec import operation_spec
from tatami.api.permissions import rule_of
from tatami.api.request import ApiRequest
from tatami.errors import MAX_FAULTS, UNKNOWN_FIELD, Invalid, MethodNotAllowed, UnsupportedMediaType
from tatami.observability import bind_user

ANY: Final = "*/*"
_WITH_BODY: Final = {"POST", "PUT", "PATCH", "DELETE"}


class ApiView(APIView):
    """A view of the API. The class attributes say how it differs from the defaults."""

    request: ApiRequest
    atomic: ClassVar[bool] = True
    """False: the view runs outside a transaction and opens its own."""
    idempotent: ClassVar[bool] = True
    """False: `Idempotency-Key` is ignored, because the response is a secret or a nonce already serves as the key."""
    audited: ClassVar[bool] = True
    """False: writes get no audit entry, because they change nothing or because their own row says who and when."""
    audits_reason: ClassVar[bool] = False
    """True: the audit entry keeps the `reason` of the body. Only for reasons that are stored nowhere else and that are
    not about a person."""
    max_body_bytes: ClassVar[int] = MAX_BODY_BYTES
    opened_by_browsers: ClassVar[bool] = False
    """True: a browser comes here by a link or a redirect, so its errors are pages if it asks for HTML."""
    accepts_array: ClassVar[bool] = False
    format_kwarg = None
    """The format comes from the `Accept` header alone. DRF reads this for the context of serializers."""

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Return the view function, exempt from `ATOMIC_REQUESTS` if `atomic` is false."""
        view = super().as_view(**initkwargs)
        return view if cls.atomic else transaction.non_atomic_requests(using="default")(view)

    @property
    def allowed_methods(self) -> list[str]:
        """Return the methods that this view implements, without OPTIONS: the OpenAPI document describes more."""
        return [name for name in super().allowed_methods if name != "OPTIONS"]

    @property
    def default_response_headers(self) -> dict[str, str]:
        """Return `Vary: Accept` if the view has several renderers."""
        return {"Vary": "Accept"} if len(self.renderer_classes) > 1 else {}

    def get_authenticators(self) -> list[Any]:
        """Skip authentication on public routes, so that an expired token cannot block a login."""
        match = getattr(getattr(self, "request", None), "resolver_match", None)
        found = rule_of(match.view_name, self.request.method) if match else None
        return [] if found is not None and found.public else super().get_authenticators()

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> ApiRequest:
        """Wrap the request and set its `now`."""
        return ApiRequest(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context=self.get_parser_context(request),
            now=clock.now(),
        )

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Check the request, run it, and build the response.

        Unexpected exceptions propagate and roll the transaction back.
        """
        self.args, self.kwargs = args, kwargs
        self.headers = self.default_response_headers
        self.request = self.initialize_request(request, *args, **kwargs)
        try:
            self.initial(self.request, *args, **kwargs)
            response = self.respond_once()
        except HANDLED_EXCEPTIONS as error:
            response = self.finalize_response(self.request, self.handle_exception(error))
        return response

    def initial(self, request: ApiRequest, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        """Run all checks that come before the view's method, in the order of this module's docstring."""
        if request.method == "OPTIONS" or not hasattr(self, str(request.method).lower()):
            raise MethodNotAllowed
        check_body_size(request._request, self.max_body_bytes)
        self.perform_authentication(request)
        self.check_permissions(request)
        negotiated = self.perform_content_negotiation(request, force=self.opened_by_browsers)
        request.accepted_renderer, request.accepted_media_type = negotiated
        self.check_media_type(request)
        if request.method in _WITH_BODY:
            self.read_body(request)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[Any, str]:
        """Return the renderer for the `Accept` header, and its media type. Raises DRF's `NotAcceptable`."""
        first, *others = self.renderer_classes
        if not others and request.META.get("HTTP_ACCEPT", ANY) in (ANY, first.media_type):
            return first(), first.media_type
        found: tuple[Any, str] = super().perform_content_negotiation(request, force)
        return found

    def perform_authentication(self, request: ApiRequest) -> None:  # type: ignore[override]
        """Authenticate the caller, and add the user's id to the request's log lines even if they are then refused."""
        super().perform_authentication(request)
        if request.user.is_authenticated:
            bind_user(request._request, request.user.pk)

    def check_media_type(self, request: ApiRequest) -> None:
        """Raises `UnsupportedMediaType` if no parser reads the declared content type, even of an empty body."""
        kind = request.content_type
        if request.method not in _WITH_BODY or not kind:
            return
        accepted = [parser.media_type for parser in request.parsers or ()]
        if kind not in accepted and not any(media_type_matches(one, kind) for one in accepted):
            raise UnsupportedMediaType

    def read_body(self, request: ApiRequest) -> None:
        """Parse the body even if the view does not use it: a malformed body is refused on every route.

        Raises `Invalid` for any field in the body of a method that has none.
        """
        if not (request.content_type or "").startswith("multipart/"):
            _ = request._request.body  # keeps the bytes, by which an idempotency key compares bodies
        fields = request.data
        if fields and type(fields) is dict and not self.takes_body:  # a form is not: see `Unsubscribe`
            raise Invalid(details={name: [gettext(UNKNOWN_FIELD)] for name in islice(fields, MAX_FAULTS)})

    @property
    def takes_body(self) -> bool:
        """Return whether the method of the request has a body: its specification has an example of one.

        A method without a specification is a test's; only its DELETE has no body.
        """
        match, method = self.request.resolver_match, str(self.request.method)
        urlconf = getattr(self.request._request, "urlconf", None) or settings.ROOT_URLCONF
        spec = operation_spec(urlconf, match.view_name, type(self), method) if match else None
        return spec.takes_body if spec else method != "DELETE"

    def respond_once(self) -> HttpResponseBase:
        """Call the handler of the method, or replay the response stored under the same idempotency key."""
        request, now = self.request, self.request.now
        keyed = IdempotentRequest.of(request) if self.idempotent else None
        response: HttpResponseBase | None = None
        if keyed:
            with self.own_transaction():
                response = keyed.load_response(now)
        if response is not None:
            return self.finalize_response(request, response, *self.args, **self.kwargs)
        handler = getattr(self, str(request.method).lower())
        response = handler(request, *self.args, **self.kwargs)
        response = self.finalize_response(request, response, *self.args, **self.kwargs)
        if self.audited:
            audit_request(request, response, with_reason=self.audits_reason)
        if keyed:
            with self.own_transaction():
                keyed.save_response(response, now)
        return response

    def own_transaction(self) -> AbstractContextManager[None]:
        """Return a transaction for the stored response if the view runs outside one.

        Such a view stores its response after its effect has committed. Its own constraints must stop a duplicate that
        arrives in between.
        """
        return nullcontext() if self.atomic else transaction.atomic()

    def finalize_response(  # type: ignore[override]
        self, request: ApiRequest, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Encode the response now. It gets `Cache-Control: no-store` unless the view set the header."""
        final: HttpResponseBase = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[arg-type]
        if isinstance(final, Response):
            final.render()
        final.headers.setdefault("Cache-Control", "no-store")
        return final
