"""The way of a user through an identity provider, in three requests.

1. `begin`: the browser is sent to the provider, with PKCE, a state and a nonce. A cookie keeps them, encrypted.
2. `complete`: the provider sends the browser back. State, issuer, code and ID token are checked, the user is found by
   the address that the provider has verified, and gets a code that works once, for a minute.
3. `redeem`: the client that began exchanges the code for a session. It proves by a verifier of its own (PKCE, too) that
   it is the same, so a code that is read in a log or a history is worthless.

The provider replaces the password, nothing else: deactivation, the second factor of the user or their role, limits and
suspension apply as with a password.
"""

import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import quote_plus

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from django.db import IntegrityError, transaction

from shared_apps.accounts import challenges
from shared_apps.accounts.models import IdentityProvider, LinkedIdentity, User
from shared_apps.accounts.oidc.errors import (
    IdentityNotAccepted,
    IdentityProviderRefused,
    IdentityTokenInvalid,
    SignInStateInvalid,
)
from shared_apps.accounts.oidc.id_tokens import Identity, key_finder, read_id_token
from shared_apps.accounts.oidc.provider_client import ProviderMetadata, provider_client
from shared_apps.accounts.oidc.settings import callback_url, client_secret, enabled_provider
from shared_apps.accounts.second_step import require_no_second_factor
from shared_apps.accounts.sessions import Tokens, lock_verified_user, open_session
from shared_apps.accounts.throttling import Limit, count_attempt
from tatami.api.audit import add_audit_entry
from tatami.api.request import Client
from tatami.encryption import decrypt, encrypt
from tatami.errors import TokenExpired, TokenInvalid

T = TypeVar("T")

STATE_LIFETIME: Final = timedelta(minutes=10)
CODE_LIFETIME: Final = timedelta(minutes=1)
PROVIDER_PER_ADDRESS: Final = Limit("identity provider, address", attempts=300, window=timedelta(minutes=15))
"""Three for each sign-in. Nothing can be guessed here; the limit bounds the work."""
SCOPE: Final = "openid email"
_STATE: Final = "identity provider: state"
_CODE: Final = "identity provider: code"
_ERROR_CODE: Final = re.compile(r"[a-z_]{1,60}\Z")


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, and the value of the cookie that it must bring back."""

    url: str
    cookie: str


def begin(*, host: str, code_challenge: str, return_to: str, address: str, now: datetime) -> Begun:
    """Begin a sign-in at the requested host. Call it outside a transaction: it may ask the provider.

    `code_challenge` is the client's own, for `redeem`; `return_to` a path of this host. Raises
    `IdentityProviderNotConfigured`, `IdentityProviderUnavailable`, `Throttled`.
    """
    provider = enabled_provider()
    count_attempt(PROVIDER_PER_ADDRESS, address, now=now)
    with provider_client(provider.issuer) as client:
        metadata = client.metadata()
    state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
    url = prepare_grant_uri(
        metadata.authorization_endpoint,
        provider.client_id,
        "code",
        redirect_uri=callback_url(host),
        scope=SCOPE,
        state=state,
        nonce=nonce,
        code_challenge=_s256(verifier),
        code_challenge_method="S256",
    )
    kept = {
        "state": state,
        "nonce": nonce,
        "verifier": verifier,
        "issuer": provider.issuer,
        "host": host,
        "code_challenge": code_challenge,
        "return_to": return_to,
    }
    challenge = challenges.issue_challenge(_STATE, kept, now=now, lifetime=STATE_LIFETIME)
    return Begun(url, encrypt(challenge, purpose=_STATE))


def complete(*, cookie: str, answer: Mapping[str, str], host: str, address: str, now: datetime) -> str:
    """Return where to send the browser: the path that `begin` was given, with `code`. Call it outside a transaction.

    `answer` are the query parameters with which the provider has sent the browser back. Raises `SignInStateInvalid`,
    `IdentityProviderRefused`, `IdentityProviderUnavailable`, `IdentityTokenInvalid`, `IdentityNotAccepted`,
    `IdentityProviderNotConfigured`, `Throttled`.
    """
    count_attempt(PROVIDER_PER_ADDRESS, address, now=now)
    kept = _use_state(cookie, answer.get("state", ""), host=host, now=now)
    provider = enabled_provider()
    if provider.issuer != kept["issuer"]:
        raise SignInStateInvalid
    if answer.get("iss", provider.issuer) != provider.issuer:
        raise IdentityTokenInvalid("issuer")
    if "code" not in answer:
        raise IdentityProviderRefused(details=_stated_error(answer))
    identity = _ask_provider(provider, answer, kept, host=host, now=now)
    user = _user_of(identity, provider, address=address, now=now)
    code = issue_code(user, code_challenge=kept["code_challenge"], now=now)
    return str(add_params_to_uri(kept["return_to"], [("code", code)]))


def issue_code(user: User, *, code_challenge: str, now: datetime) -> str:
    """Return a code for `redeem`. It works once, for a minute, and as long as the password is the same."""
    content = {**challenges.user_content(user), "code_challenge": code_challenge}
    return challenges.issue_challenge(_CODE, content, now=now, lifetime=CODE_LIFETIME)


def redeem(*, code: str, code_verifier: str, host: str, client: Client, now: datetime) -> tuple[User, Tokens]:
    """Open a session with tokens. See `redeem_code`."""
    return redeem_code(
        lambda user: open_session(user, now=now, client=client),
        code=code,
        code_verifier=code_verifier,
        host=host,
        address=client.address,
        now=now,
    )


def redeem_code(
    open_session_of: Callable[[User], T],
    *,
    code: str,
    code_verifier: str,
    host: str,
    address: str,
    now: datetime,
) -> tuple[User, T]:
    """Open a session of any kind with the code of `complete`, which works once. Call it outside a transaction.

    Raises `TokenInvalid`, `TokenExpired`, `Throttled`; `SecondFactorRequired` as `/auth/login` does.
    """
    count_attempt(PROVIDER_PER_ADDRESS, address, now=now)
    content = challenges.read_challenge(_CODE, code, now=now)
    if not secrets.compare_digest(_s256(code_verifier), content["code_challenge"]):
        raise TokenInvalid
    with transaction.atomic():
        challenges.use_up(code, content)
    stated = challenges.user_of(content)
    require_no_second_factor(stated, host=host, now=now)
    with transaction.atomic():
        user = lock_verified_user(stated)
        return user, open_session_of(user)


def new_verifier() -> tuple[str, str]:
    """Return a PKCE verifier for `redeem_code` and its challenge (S256) for `begin`."""
    verifier = secrets.token_urlsafe(48)
    return verifier, _s256(verifier)


def _s256(verifier: str) -> str:
    return str(create_s256_code_challenge(verifier))  # type: ignore[no-untyped-call]


def _use_state(cookie: str, state: str, *, host: str, now: datetime) -> Mapping[str, Any]:
    """Return what the cookie of this browser keeps, and use it up. Raises `SignInStateInvalid`."""
    try:
        challenge = decrypt(cookie, purpose=_STATE)
        kept = challenges.read_challenge(_STATE, challenge, now=now)
        if kept["host"] != host or not secrets.compare_digest(kept["state"].encode(), state.encode()):
            raise SignInStateInvalid
        with transaction.atomic():
            challenges.use_up(challenge, kept)
    except (ValueError, TokenInvalid, TokenExpired):
        raise SignInStateInvalid from None
    return kept


def _stated_error(answer: Mapping[str, str]) -> dict[str, str] | None:
    """Return the error code of a provider, if it is one; never its texts, which anyone could have written."""
    error = answer.get("error", "")
    return {"reason": error} if _ERROR_CODE.match(error) else None


def _ask_provider(
    provider: IdentityProvider,
    answer: Mapping[str, str],
    kept: Mapping[str, Any],
    *,
    host: str,
    now: datetime,
) -> Identity:
    """Exchange the provider's code for an ID token, and return the identity that it states."""
    with provider_client(provider.issuer) as client:
        metadata = client.metadata()
        if metadata.states_issuer and "iss" not in answer:
            raise IdentityTokenInvalid("issuer")
        form = {
            "grant_type": "authorization_code",
            "code": answer["code"],
            "redirect_uri": callback_url(host),
            "code_verifier": kept["verifier"],
        }
        headers, proof = _client_proof(provider, metadata)
        tokens = client.post_form(metadata.token_endpoint, {**form, **proof}, headers)
        if "error" in tokens:
            raise IdentityProviderRefused(details=_stated_error({"error": str(tokens["error"])}))
        token = str(tokens.get("id_token") or "")
        keys = client.keys(metadata, knows=key_finder(token))
    return read_id_token(
        token,
        keys=keys,
        issuer=provider.issuer,
        client_id=provider.client_id,
        nonce=kept["nonce"],
        access_token=str(tokens.get("access_token") or ""),
        now=now,
    )


def _client_proof(
    provider: IdentityProvider, metadata: ProviderMetadata
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the headers and the fields by which we prove who we are (RFC 6749, section 2.3.1)."""
    secret = client_secret(provider)
    if not secret:
        return {}, {"client_id": provider.client_id}
    if metadata.takes_secret_in_body:
        return {}, {"client_id": provider.client_id, "client_secret": secret}
    pair = f"{quote_plus(provider.client_id)}:{quote_plus(secret)}"
    return {"Authorization": "Basic " + b64encode(pair.encode()).decode()}, {}


def _user_of(identity: Identity, provider: IdentityProvider, *, address: str, now: datetime) -> User:
    """Return the active user with the verified address, linked with the identity. Raises `IdentityNotAccepted`.

    An admin invites users by creating them; no one is created here. The first sign-in links the user with the account
    at the provider, so that a later owner of the same address does not become them.
    """
    if not identity.is_verified:
        raise IdentityNotAccepted("email_not_verified")
    domain = identity.email_key.rpartition("@")[2]
    if provider.email_domains and domain not in provider.email_domains:
        raise IdentityNotAccepted("domain_not_allowed")
    try:
        with transaction.atomic():
            user = User.objects.active_for_update().filter(email_key=identity.email_key).first()
            if user is None:
                raise IdentityNotAccepted("no_such_user")
            _link(user, identity, address=address, now=now)
    except IntegrityError as violation:
        if "identity_subject_once" in str(violation):
            raise IdentityNotAccepted("linked_to_another_user") from None
        raise
    return user


def _link(user: User, identity: Identity, *, address: str, now: datetime) -> None:
    linked = LinkedIdentity.objects.filter(user=user, issuer=identity.issuer).first()
    if linked is None:
        LinkedIdentity.objects.create(user=user, issuer=identity.issuer, subject=identity.subject)
        add_audit_entry(actor=user, action="identity.link", object_id=user.pk, address=address, now=now)
    elif linked.subject != identity.subject:
        raise IdentityNotAccepted("another_account")
