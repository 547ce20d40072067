"""Requests to identity providers: bounded in time, in size and in number, and to public addresses only.

A provider is chosen by a dojo, and may be slow or hostile. So all its answers within one request of ours must come
within `PROVIDER_SECONDS`, few requests of a process wait for providers at once, and a provider that has failed is not
asked again for `PAUSE_SECONDS`. Metadata and keys are cached, because they seldom change.

Call these functions outside a transaction: no lock is held while a provider is asked.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final
from urllib.parse import urlencode

import orjson
import structlog
from cachetools import TTLCache
from django.conf import settings

from shared_apps.accounts.oidc.errors import IdentityProviderUnavailable
from tatami.outgoing import InvalidUrl, Reply, RequestFailed, request, target_of

PROVIDER_SECONDS: Final = 3.0
MOST_AT_ONCE: Final = max(2, settings.TATAMI_WEB_CONNECTIONS // 4)
"""How many requests of a process ask providers at once: a quarter of its database connections."""
WAIT_SECONDS: Final = 0.5
"""How long others wait for their turn, before they are refused."""
MOST_BYTES: Final = 256 * 1024
KEEP_SECONDS: Final = 3600
PAUSE_SECONDS: Final = 10
REREAD_SECONDS: Final = 60
"""How soon keys are read again because a token names an unknown one."""
MOST_CACHED: Final = 500
OK: Final = 200
REFUSED: Final = range(400, 500)

logger: Final = structlog.get_logger(__name__)
_places: Final = threading.BoundedSemaphore(MOST_AT_ONCE)
_lock: Final = threading.Lock()
_metadata: Final[TTLCache[str, "ProviderMetadata"]] = TTLCache(MOST_CACHED, KEEP_SECONDS)
_keys: Final[TTLCache[str, tuple[float, list[Any]]]] = TTLCache(MOST_CACHED, KEEP_SECONDS)
_paused: Final[TTLCache[str, bool]] = TTLCache(MOST_CACHED, PAUSE_SECONDS)


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """What a provider says about itself (OpenID Connect Discovery 1.0)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    takes_secret_in_body: bool = False
    """Whether the client secret is sent in the body, because the provider does not take it in a header."""
    states_issuer: bool = False
    """Whether its answers to browsers name the issuer (RFC 9207)."""


class ProviderClient:
    """Asks one provider, until a deadline. Failures are logged with their reason, which the user does not see."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._deadline = monotonic() + PROVIDER_SECONDS

    def metadata(self) -> ProviderMetadata:
        """Return the metadata of the provider, from the cache if it has them."""
        with _lock:
            found = _metadata.get(self._issuer)
        if found is None:
            url = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
            found = self._checked(lambda: _read_metadata(self._json(self._get(url)), self._issuer))
            remember(found)
        return found

    def keys(self, metadata: ProviderMetadata, *, knows: Callable[[list[Any]], bool]) -> list[Any]:
        """Return the public keys of the provider (JWK), read again if the cached ones do not satisfy `knows`."""
        with _lock:
            read_at, found = _keys.get(metadata.jwks_uri, (float("-inf"), []))
        if not knows(found) and monotonic() - read_at > REREAD_SECONDS:
            found = self._checked(lambda: _read_keys(self._json(self._get(metadata.jwks_uri))))
            with _lock:
                _keys[metadata.jwks_uri] = (monotonic(), found)
        return found

    def post_form(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Mapping[str, Any]:
        """Send a form; return the JSON object of the response, also of one that refuses (4xx)."""
        sent = {**headers, "Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        reply = self._request("POST", url, urlencode(form).encode(), sent)
        return self._json(reply, or_refused=True)

    def _get(self, url: str) -> Reply:
        return self._request("GET", url, b"", {"Accept": "application/json"})

    def _request(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        seconds = max(0.0, self._deadline - monotonic())
        try:
            return request(method, url, body=body, headers=headers, seconds=seconds, most_bytes=MOST_BYTES)
        except RequestFailed as failure:
            raise self._unavailable(str(failure)) from None

    def _json(self, reply: Reply, *, or_refused: bool = False) -> Mapping[str, Any]:
        try:
            found = orjson.loads(reply.body)
        except orjson.JSONDecodeError:
            found = None
        is_expected = reply.status == OK or (or_refused and reply.status in REFUSED)
        if not is_expected or not isinstance(found, dict):
            raise self._unavailable(f"status {reply.status}, or not a JSON object")
        return found

    def _checked(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (ValueError, LookupError, TypeError) as fault:
            raise self._unavailable(f"not as specified: {fault}") from None

    def _unavailable(self, reason: str) -> IdentityProviderUnavailable:
        logger.warning("identity_provider_failed", issuer=self._issuer, reason=reason)
        with _lock:
            _paused[self._issuer] = True
        return IdentityProviderUnavailable()


@contextmanager
def provider_client(issuer: str) -> Iterator[ProviderClient]:
    """Yield a client for one provider within the block.

    Raises `IdentityProviderUnavailable`, also by the client's methods: if the provider fails, has just failed, or too
    many requests wait for providers.
    """
    with _lock:
        is_paused = issuer in _paused
    if is_paused or not _places.acquire(timeout=WAIT_SECONDS):
        raise IdentityProviderUnavailable
    try:
        yield ProviderClient(issuer)
    finally:
        _places.release()


def remember(metadata: ProviderMetadata) -> None:
    """Use these metadata of a provider for an hour."""
    with _lock:
        _metadata[metadata.issuer] = metadata


def clear_cache() -> None:
    """Forget what providers have said, and their failures."""
    with _lock:
        for cache in (_metadata, _keys, _paused):
            cache.clear()


def _read_metadata(stated: Mapping[str, Any], issuer: str) -> ProviderMetadata:
    if stated["issuer"] != issuer:
        raise ValueError("another issuer")
    authorization_endpoint, token_endpoint, jwks_uri = (
        _url(stated[name]) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
    )
    methods = stated.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return ProviderMetadata(
        issuer,
        authorization_endpoint,
        token_endpoint,
        jwks_uri,
        takes_secret_in_body="client_secret_basic" not in methods and "client_secret_post" in methods,
        states_issuer=stated.get("authorization_response_iss_parameter_supported") is True,
    )


def _url(stated: Any) -> str:
    if not isinstance(stated, str):
        raise TypeError("a URL is no text")
    try:
        target_of(stated)
    except InvalidUrl as error:
        raise ValueError(str(error)) from None
    return stated


def _read_keys(stated: Mapping[str, Any]) -> list[Any]:
    keys = stated["keys"]
    if not isinstance(keys, list):
        raise TypeError("the keys are no list")
    return keys
