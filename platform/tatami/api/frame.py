"""The frame of every view: one order of questions, one way to answer.

405, then 413 and 415, then 401, 403, then 400, then the idempotency key, then the view. The answer is
encoded inside the transaction: one that cannot be encoded undoes what it would have told about.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.response import Response
from rest_framework.utils.mediatypes import media_type_matches
from rest_framework.views import APIView

from tatami import clock
from tatami.api.audit import write_down
from tatami.api.gate import MAX_BODY_BYTES, refuse_larger_body
from tatami.api.idempotency import Attempt
from tatami.api.request import ApiRequest
from tatami.api.rules import rule_of
from tatami.api.translation import EXPECTED
from tatami.errors import MethodNotAllowed, UnsupportedMediaType
from tatami.observability import bind_user

_WITH_BODY = {"POST", "PUT", "PATCH", "DELETE"}


class ApiView(APIView):
    """A view of the API. Attributes say where it differs from the rest."""

    request: ApiRequest
    atomic: ClassVar[bool] = True
    """False: no transaction around it; it makes its own."""
    idempotent: ClassVar[bool] = True
    """False: `Idempotency-Key` is ignored, because the answer is a secret or a nonce is the key."""
    audited: ClassVar[bool] = True
    """False: a write that needs no audit row, because it changes nothing or its own row says who and when."""
    audits_reason: ClassVar[bool] = False
    """True: the audit keeps the `reason` of the body, because nothing else does. Not where it is about a person."""
    max_body_bytes: ClassVar[int] = MAX_BODY_BYTES
    accepts_array: ClassVar[bool] = False

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Return the view function, marked for `ATOMIC_REQUESTS` where it must not be in a transaction."""
        view = super().as_view(**initkwargs)
        return view if cls.atomic else transaction.non_atomic_requests(using="default")(view)

    @property
    def allowed_methods(self) -> list[str]:
        """Return the methods this view implements. OPTIONS is not one: the OpenAPI document says more."""
        return [name for name in super().allowed_methods if name != "OPTIONS"]

    @property
    def default_response_headers(self) -> dict[str, str]:
        """Return what every answer bears: it is meant for this caller, and for now."""
        return {"Vary": "Accept"} if len(self.renderer_classes) > 1 else {}

    def get_authenticators(self) -> list[Any]:
        """Return none on a public route: nobody is kept from logging in by the token that has expired."""
        match = getattr(getattr(self, "request", None), "resolver_match", None)
        found = rule_of(match.view_name, self.request.method) if match else None
        return [] if found is not None and found.public else super().get_authenticators()

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> ApiRequest:
        """Wrap the request, and fix its present."""
        return ApiRequest(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context=self.get_parser_context(request),
            now=clock.now(),
        )

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Ask, act, answer. What nobody foresaw passes through, and so rolls back by itself."""
        self.args, self.kwargs = args, kwargs
        self.headers = self.default_response_headers
        self.request = self.initialize_request(request, *args, **kwargs)
        try:
            self.initial(self.request, *args, **kwargs)
            response = self.answer_once()
        except EXPECTED as error:
            response = self.finalize_response(self.request, self.handle_exception(error))
        return response

    def initial(self, request: ApiRequest, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        """Ask all that can be asked before acting, in the order of this module's docstring."""
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed
        refuse_larger_body(request._request, self.max_body_bytes)
        self.refuse_other_media_type(request)
        super().initial(request, *args, **kwargs)
        if request.method in _WITH_BODY:
            self.read_body(request)

    def perform_authentication(self, request: ApiRequest) -> None:  # type: ignore[override]
        """Find out who asks, and have the log know it, whatever he may or may not do."""
        super().perform_authentication(request)
        if request.user.is_authenticated:
            bind_user(request._request, request.user.pk)

    def refuse_other_media_type(self, request: ApiRequest) -> None:
        """Raise `UnsupportedMediaType` for a body that no parser of this view reads, be it empty."""
        kind = request.content_type
        read = (parser.media_type for parser in request.parsers or ())
        if request.method in _WITH_BODY and kind and not any(media_type_matches(one, kind) for one in read):
            raise UnsupportedMediaType

    def read_body(self, request: ApiRequest) -> None:
        """Parse the body, also where the view has no use for it: a malformed one is refused everywhere."""
        if not (request.content_type or "").startswith("multipart/"):
            _ = request._request.body  # keeps the bytes, which an idempotency key is compared by
        _ = request.data

    def answer_once(self) -> HttpResponseBase:
        """Call the method's handler, or replay what it answered under the same idempotency key."""
        request, now = self.request, self.request.now
        attempt = Attempt.of(request) if self.idempotent else None
        response: HttpResponseBase | None = None
        if attempt:
            with self.own_transaction():
                response = attempt.recall(now)
        if response is not None:
            return self.finalize_response(request, response, *self.args, **self.kwargs)
        handler = getattr(self, str(request.method).lower())
        response = handler(request, *self.args, **self.kwargs)
        response = self.finalize_response(request, response, *self.args, **self.kwargs)
        if self.audited:
            write_down(request, response, with_reason=self.audits_reason)
        if attempt:
            with self.own_transaction():
                attempt.remember(response, now)
        return response

    def own_transaction(self) -> AbstractContextManager[None]:
        """Return a transaction for the frame's own rows where no transaction is around the view.

        There an answer is kept after its effect: twins in flight are told apart by the effect's own constraints.
        """
        return nullcontext() if self.atomic else transaction.atomic()

    def finalize_response(  # type: ignore[override]
        self, request: ApiRequest, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Encode the answer now, and keep it out of shared caches unless the view said otherwise."""
        answer: HttpResponseBase = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[arg-type]
        if isinstance(answer, Response):
            answer.render()
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer
