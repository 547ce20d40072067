"""Signing in with the identity provider of the dojo, in a browser: to the provider, and back with a code.

The pages are a client of the sign-in that other clients use (docs/decisions/0042-openid-connect.md): the verifier of
the code is in a cookie of this browser, so a code that someone else has opens no session here, and no one can be led
into the session of another.
"""

from datetime import timedelta
from typing import Final

import orjson
from django.http import HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

from shared_apps.accounts.oidc import sign_in
from shared_apps.accounts.oidc.views import send_to_provider
from shared_apps.accounts.second_step import SecondFactorRequired
from tatami.api.request import client_address, requested_host
from tatami.encryption import decrypt, encrypt
from tatami.errors import InvalidCredentials, ServiceUnavailable, Throttled, TokenExpired, TokenInvalid
from tenant_apps.desk.sessions import COOKIE_PREFIX, set_cookie
from tenant_apps.desk.sign_in.view import SignIn, SignInForm

COOKIE: Final = f"{COOKIE_PREFIX}tatami_provider"
LIFETIME: Final = sign_in.STATE_LIFETIME + timedelta(minutes=1)
MOST_TARGET_CHARACTERS: Final = 1_000
"""A longer address to return to is left out, so that the cookie stays small."""
_PURPOSE: Final = "page sign-in with a provider"


class ProviderPage(SignIn):
    """A step of the way. It runs outside a transaction, because it may ask the provider."""

    reads_in_transaction = False

    @classmethod
    def page_methods(cls) -> list[str]:
        return ["GET"]


class ToProvider(ProviderPage):
    """Send the browser to the provider."""

    def get(self, *_args: object, **_kwargs: object) -> HttpResponseBase:
        wanted = self.query("next") if len(self.query("next")) <= MOST_TARGET_CHARACTERS else ""
        verifier, challenge = sign_in.new_verifier()
        try:
            begun = sign_in.begin(
                host=requested_host(self.request),
                code_challenge=challenge,
                return_to=reverse("desk:sign-in-return"),
                address=client_address(self.request),
                now=self.now,
            )
        except (ServiceUnavailable, Throttled) as error:
            return self.refused(SignInForm(initial={"next": wanted}), error)
        response = send_to_provider(begun)
        kept = orjson.dumps({"verifier": verifier, "next": wanted}).decode()
        set_cookie(response, COOKIE, encrypt(kept, purpose=_PURPOSE), LIFETIME)
        return response


class FromProvider(ProviderPage):
    """The browser is back with a code: open the session, or ask for the second factor."""

    def get(self, *_args: object, **_kwargs: object) -> HttpResponseBase:
        wanted = ""
        response: HttpResponseBase = HttpResponseRedirect("/")
        try:
            kept = orjson.loads(decrypt(self.request.COOKIES.get(COOKIE, ""), purpose=_PURPOSE))
            wanted = kept["next"]
            user, _ = sign_in.redeem_code(
                lambda user: self.open_session(user, response),
                code=self.query("code"),
                code_verifier=kept["verifier"],
                host=requested_host(self.request),
                address=client_address(self.request),
                now=self.now,
            )
        except SecondFactorRequired as error:
            response = self.ask_for_code(error, wanted)
        except Throttled as error:
            response = self.refused(SignInForm(initial={"next": wanted}), error)
        except (ValueError, InvalidCredentials, TokenInvalid, TokenExpired):
            response = self.begin_again(wanted, status=400)
        else:
            response["Location"] = self.target(wanted, user.role)
        response.delete_cookie(COOKIE, samesite="Lax")
        return response
