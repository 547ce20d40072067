"""A software authenticator with its browser: it makes passkeys and signs with them, by the text of WebAuthn level 3.

It shares no code with the library that verifies: CBOR and COSE are written here from RFC 8949 and RFC 9052.
"""

import hashlib
import secrets
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

USER_PRESENT, USER_VERIFIED, ATTESTED = 0x01, 0x04, 0x40
NO_AAGUID = bytes(16)


@dataclass
class Credential:
    """One passkey: its key, and whose it is."""

    key: Any
    rp_id: str
    user_handle: str
    counter: int = 0


@dataclass
class Authenticator:
    """A browser that shows a page of `origin`, and the passkeys that it has."""

    origin: str
    verifies_user: bool = True
    counts: bool = True
    """Whether the counter of a passkey increases, as in security keys; synchronised passkeys always say 0."""
    algorithm: int = -7
    credentials: dict[str, Credential] = field(default_factory=dict)

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return what `navigator.credentials.create` does, as JSON."""
        assert self.algorithm in [one["alg"] for one in options["pubKeyCredParams"]]
        excluded = {one["id"] for one in options.get("excludeCredentials", ())}
        assert not excluded & set(self.credentials), "InvalidStateError: there is a passkey already"
        name = encode(secrets.token_bytes(16))
        made = Credential(_new_key(self.algorithm), options["rp"]["id"], options["user"]["id"])
        self.credentials[name] = made
        raw = decode(name)
        attested = NO_AAGUID + struct.pack(">H", len(raw)) + raw + cbor(_cose(made.key))
        data = self._data(made, ATTESTED) + attested
        statement = {"fmt": "none", "attStmt": {}, "authData": data}
        response = {
            "clientDataJSON": encode(self._client_data("webauthn.create", options["challenge"])),
            "attestationObject": encode(cbor(statement)),
            "transports": ["internal"],
        }
        return _credential(name, response)

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return what `navigator.credentials.get` does, as JSON, with the passkey used last."""
        allowed = [one["id"] for one in options.get("allowCredentials", ())]
        usable = [
            name
            for name, one in self.credentials.items()
            if one.rp_id == options["rpId"] and (not allowed or name in allowed)
        ]
        assert usable, "NotAllowedError: there is no passkey for this"
        used = self.credentials[usable[-1]]
        used.counter += self.counts
        data = self._data(used, 0)
        client_data = self._client_data("webauthn.get", options["challenge"])
        response = {
            "clientDataJSON": encode(client_data),
            "authenticatorData": encode(data),
            "signature": encode(_sign(used.key, data + hashlib.sha256(client_data).digest())),
            "userHandle": used.user_handle,
        }
        return _credential(usable[-1], response)

    def _data(self, credential: Credential, flags: int) -> bytes:
        flags |= USER_PRESENT | (USER_VERIFIED if self.verifies_user else 0)
        rp_id_hash = hashlib.sha256(credential.rp_id.encode()).digest()
        return rp_id_hash + struct.pack(">BI", flags, credential.counter)

    def _client_data(self, kind: str, challenge: str) -> bytes:
        stated = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return orjson.dumps(stated)


def encode(data: bytes) -> str:
    """Return base64url without padding."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def decode(text: str) -> bytes:
    """Return the bytes of base64url without padding."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def cbor(value: Any) -> bytes:
    """Return integers, bytes, texts and maps in CBOR."""
    match value:
        case int():
            return _head(0, value) if value >= 0 else _head(1, -1 - value)
        case bytes():
            return _head(2, len(value)) + value
        case str():
            return _head(3, len(value.encode())) + value.encode()
        case dict():
            return _head(5, len(value)) + b"".join(cbor(key) + cbor(one) for key, one in value.items())
    raise TypeError(value)


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    if number < 256:
        return bytes([major << 5 | 24, number])
    return bytes([major << 5 | 25]) + struct.pack(">H", number)


def _credential(name: str, response: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": name,
        "rawId": name,
        "type": "public-key",
        "authenticatorAttachment": "platform",
        "clientExtensionResults": {},
        "response": response,
    }


def _new_key(algorithm: int) -> Any:
    if algorithm == -7:
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == -8:
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65_537, 2_048)


def _cose(key: Any) -> dict[int, Any]:
    public = key.public_key()
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {1: 1, 3: -8, -1: 6, -2: public.public_bytes_raw()}
    numbers = public.public_numbers()
    if isinstance(key, rsa.RSAPrivateKey):
        return {1: 3, 3: -257, -1: numbers.n.to_bytes(256, "big"), -2: numbers.e.to_bytes(3, "big")}
    return {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}


def _sign(key: Any, message: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), SHA256())
    signature: bytes = key.sign(message, ec.ECDSA(SHA256()))
    return signature
