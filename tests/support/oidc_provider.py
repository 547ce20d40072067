"""A real OpenID provider on loopback, which a test can make misbehave. Its tokens are made here, from RFC 7515."""

import hashlib
import hmac
import threading
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode, urlsplit

import orjson
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.now import NOW

CLIENT_ID, CLIENT_SECRET = "tatami", "a secret: of the provider"


def encode(data: bytes) -> str:
    """Return base64url without padding."""
    return urlsafe_b64encode(data).decode().rstrip("=")


@cache
def signing_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return a key that stays the same for a number."""
    return rsa.generate_private_key(65_537, bits)


def jwk(key: rsa.RSAPrivateKey, kid: str) -> dict[str, Any]:
    """Return the public part of a key as a JWK."""
    numbers = key.public_key().public_numbers()
    modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
    exponent = numbers.e.to_bytes(3, "big")
    return {"kty": "RSA", "use": "sig", "kid": kid, "n": encode(modulus), "e": encode(exponent)}


def signed(header: dict[str, Any], claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """Return a JWT in the compact form."""
    text = f"{encode(orjson.dumps(header))}.{encode(orjson.dumps(claims))}"
    return f"{text}.{encode(sign(text.encode()))}"


def by_rsa(key: rsa.RSAPrivateKey) -> Callable[[bytes], bytes]:
    return lambda text: key.sign(text, padding.PKCS1v15(), SHA256())


def by_hmac(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda text: hmac.digest(secret, text, hashlib.sha256)


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@dataclass
class Provider:
    """What the provider knows, and how it misbehaves."""

    port: int = 0
    now: datetime = NOW
    user: dict[str, Any] = field(
        default_factory=lambda: {"sub": "u-1", "email": "una@example.com", "email_verified": True}
    )
    metadata: dict[str, Any] = field(default_factory=dict)
    """Replaces members of the metadata."""
    claims: dict[str, Any] = field(default_factory=dict)
    """Replaces claims of the ID tokens; `None` leaves one out."""
    keys: list[Any] = field(default_factory=lambda: [jwk(signing_key(), "k0")])
    header: dict[str, Any] = field(default_factory=lambda: {"alg": "RS256", "kid": "k0"})
    sign: Callable[[bytes], bytes] = field(default_factory=lambda: by_rsa(signing_key()))
    states_issuer: bool = True
    refusal: str = ""
    """Sent to the browser instead of a code."""
    token_answer: tuple[int, bytes] | None = None
    """Sent instead of tokens."""
    hangs: str = ""
    """A path that gets no answer until the end of the test."""
    asked: list[str] = field(default_factory=list)
    grants: dict[str, dict[str, str]] = field(default_factory=dict)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def send_browser(self, url: str) -> str:
        """Visit an authorization URL as a browser whose user agrees; return the address it is sent back to."""
        parts = urlsplit(url)
        link = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        link.request("GET", f"{parts.path}?{parts.query}")
        answer = link.getresponse()
        assert answer.status == 302, answer.read()
        location = answer.getheader("Location") or ""
        link.close()
        return location

    def respond(self, path: str, query: dict[str, str], form: dict[str, str], authorization: str) -> Any:
        """Return status, headers and body."""
        self.asked.append(path)
        if path == self.hangs:
            self.closing.wait(60)
        match path:
            case "/.well-known/openid-configuration":
                return 200, {}, orjson.dumps(self._metadata())
            case "/jwks":
                return 200, {}, orjson.dumps({"keys": self.keys})
            case "/authorize":
                return 302, {"Location": self._authorize(query)}, b""
            case "/token":
                status, body = self.token_answer or self._token(form, authorization)
                return status, {}, body
        return 404, {}, b"{}"

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "authorization_response_iss_parameter_supported": self.states_issuer,
            **self.metadata,
        }

    def _authorize(self, query: dict[str, str]) -> str:
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        answer = {"state": query["state"]}
        if self.states_issuer:
            answer["iss"] = self.issuer
        if self.refusal:
            answer["error"] = self.refusal
        else:
            answer["code"] = f"code-{len(self.grants)}"
            self.grants[answer["code"]] = query
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def _token(self, form: dict[str, str], authorization: str) -> tuple[int, bytes]:
        grant = self.grants.pop(form.get("code", ""), None)
        if self._client_of(form, authorization) != (CLIENT_ID, CLIENT_SECRET):
            return 401, b'{"error": "invalid_client"}'
        verifier = hashlib.sha256(form["code_verifier"].encode()).digest()
        if (
            grant is None
            or grant["code_challenge"] != encode(verifier)
            or grant["redirect_uri"] != form["redirect_uri"]
        ):
            return 400, b'{"error": "invalid_grant"}'
        at = int(self.now.timestamp())
        claims = {"iss": self.issuer, "aud": grant["client_id"], "nonce": grant["nonce"], "iat": at}
        claims |= {"exp": at + 300, **self.user, **self.claims}
        stated = {name: value for name, value in claims.items() if value is not None}
        token = signed(self.header, stated, self.sign)
        return 200, orjson.dumps({"access_token": "x", "token_type": "Bearer", "id_token": token})

    def _client_of(self, form: dict[str, str], authorization: str) -> tuple[str, str]:
        if authorization.startswith("Basic "):
            client, _, secret = b64decode(authorization[6:]).decode().partition(":")
            return unquote_plus(client), unquote_plus(secret)
        return form.get("client_id", ""), form.get("client_secret", "")


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer(dict(parse_qsl(body)))

        def _answer(self, form: dict[str, str]) -> None:
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            authorization = self.headers.get("Authorization", "")
            status, headers, body = provider.respond(parts.path, query, form, authorization)
            try:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def running_provider() -> Iterator[Provider]:
    """Run a provider on a free port of 127.0.0.1 until the end of the block."""
    provider = Provider()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(provider))
    server.daemon_threads = True
    provider.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
