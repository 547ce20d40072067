"""Sign-in with the identity provider of the dojo, and its settings."""

from dataclasses import asdict
from typing import Any, Final

from django.conf import settings
from django.http import HttpResponseRedirect
from rest_framework.response import Response

from shared_apps.accounts.models import User
from shared_apps.accounts.oidc import openapi, sign_in
from shared_apps.accounts.oidc.serializers import (
    BeginSerializer,
    IdentityProviderSerializer,
    NewIdentityProviderSerializer,
    RedeemSerializer,
)
from shared_apps.accounts.oidc.settings import (
    ProviderSettings,
    delete_provider,
    save_provider,
    saved_provider,
    unlink,
)
from shared_apps.accounts.serializers import SignInSerializer
from shared_apps.accounts.views import AuthView
from tatami.api.request import client_address, client_of, requested_host
from tatami.api.views import ApiView, get_or_404

COOKIE: Final = "tatami_identity"
COOKIE_PATH: Final = "/auth/oidc/"


class Start(AuthView):
    """Begin a sign-in with the identity provider: send a browser here. It is redirected to the provider."""

    serializer_class = BeginSerializer
    operations = openapi.START

    def get(self, request: Any) -> HttpResponseRedirect:
        serializer = BeginSerializer(data=request.query_params.dict())
        serializer.is_valid(raise_exception=True)
        begun = sign_in.begin(
            host=requested_host(request),
            code_challenge=serializer.validated_data["code_challenge"],
            return_to=serializer.validated_data.get("return_to", "/"),
            address=client_address(request),
            now=request.now,
        )
        return send_to_provider(begun)


class Callback(AuthView):
    """Where the identity provider sends the browser back. It is redirected to `return_to`, with a `code`."""

    operations = openapi.CALLBACK
    opened_by_browsers = True

    def get(self, request: Any) -> HttpResponseRedirect:
        url = sign_in.complete(
            cookie=request.COOKIES.get(COOKIE, ""),
            answer=request.query_params.dict(),
            host=requested_host(request),
            address=client_address(request),
            now=request.now,
        )
        response = _redirect(url)
        response.delete_cookie(COOKIE, path=COOKIE_PATH, samesite="Lax")
        return response


class Redeem(AuthView):
    """Exchange the `code` of the return, which works once, for tokens. 401 `second_factor_required` as at sign-in."""

    serializer_class = RedeemSerializer
    operations = openapi.REDEEM

    def post(self, request: Any) -> Response:
        user, tokens = sign_in.redeem(
            **self.values(), host=requested_host(request), client=client_of(request), now=request.now
        )
        return Response(SignInSerializer({**asdict(tokens), "user": user}).data)


class IdentityProviderView(ApiView):
    """The OpenID provider with which users may sign in beside their password."""

    idempotent = False
    operations = openapi.IDENTITY_PROVIDER
    serializer_class = NewIdentityProviderSerializer

    def get(self, request: Any) -> Response:
        return Response(IdentityProviderSerializer(saved_provider()).data)

    def put(self, request: Any) -> Response:
        serializer = NewIdentityProviderSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        saved = save_provider(ProviderSettings(**serializer.validated_data), now=request.now)
        return Response(IdentityProviderSerializer(saved).data)

    def delete(self, request: Any) -> Response:
        delete_provider()
        return Response(status=204)


class UserIdentities(ApiView):
    """Forget the account at the identity provider with which a user has signed in: the next one is linked."""

    idempotent = False
    operations = openapi.USER_IDENTITIES
    serializer_class = None

    def delete(self, request: Any, id: Any) -> Response:
        user = get_or_404(User.objects.people(), pk=id)
        unlink(user.pk)
        return Response(status=204)


def send_to_provider(begun: sign_in.Begun) -> HttpResponseRedirect:
    """Return the response that sends the browser to the provider, with the cookie that it must bring back."""
    response = _redirect(begun.url)
    response.set_cookie(
        COOKIE,
        begun.cookie,
        max_age=sign_in.STATE_LIFETIME,
        path=COOKIE_PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


def _redirect(url: str) -> HttpResponseRedirect:
    response = HttpResponseRedirect(url)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
