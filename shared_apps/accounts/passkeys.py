"""Passkeys: WebAuthn credentials of users. The library `fido2` reads and verifies what browsers send.

A passkey belongs to the host where it was set up: the browser offers it only there, and what it signs names the address
of the page, which must be ours. The user is verified by the authenticator (fingerprint, face, PIN), so that a passkey
alone may sign a user in. Attestation is not asked for: which make it is does not matter.
"""

import logging
import struct
from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from django.db import IntegrityError, transaction
from django.db.models import Q
from fido2 import cbor
from fido2.cose import CoseKey
from fido2.server import Fido2Server
from fido2.utils import websafe_decode
from fido2.webauthn import (
    Aaguid,
    AttestedCredentialData,
    AuthenticatorData,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialType,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from shared_apps.accounts.models import Passkey, SecondFactor, User
from tatami.errors import DomainError
from tatami.keys import secret_hash
from tatami.tenancy.hosts import origin
from tatami.tenancy.scope import TenantScope, required_scope

MOST_CREDENTIAL_BYTES: Final = 1023
"""WebAuthn allows no longer id of a credential."""
VERIFICATION: Final = UserVerificationRequirement.REQUIRED
_ACCEPTED: Final = tuple(CoseKey.for_alg(number) for number in (-7, -8, -257))
"""ES256, EdDSA and RS256: what authenticators have, and what cannot be confused with each other."""
# What reading a text that is no credential may raise, in CBOR, COSE and the keys within.
_UNREADABLE: Final = (
    ValueError, TypeError, LookupError, AttributeError, AssertionError, NotImplementedError, RecursionError,
    struct.error, InvalidSignature, UnsupportedAlgorithm,
)  # fmt: skip
_MEMBERS: Final = ("clientDataJSON", "attestationObject", "authenticatorData", "signature")

logging.getLogger("fido2").setLevel(logging.WARNING)  # it logs ids of credentials


class PasskeyInvalid(DomainError):
    """This passkey is not accepted here."""

    code = "passkey_invalid"
    status = 401


class PasskeyCopied(DomainError):
    """This passkey may have been copied: its counter went back. Sign in another way, and set up a new one."""

    code = "passkey_copied"
    status = 401

    def __init__(self, user: User) -> None:
        """`user` is the owner of the passkey."""
        self.user = user
        super().__init__()


class PasskeyTaken(DomainError):
    """This passkey is already set up."""

    code = "passkey_taken"


def challenge_bytes(challenge: str) -> bytes:
    """Return what an authenticator signs for a challenge of ours (`challenges`): 32 bytes."""
    return secret_hash("passkey\0" + challenge)


def creation_options(user: User, *, host: str, challenge: bytes, known: Iterable[bytes]) -> dict[str, Any]:
    """Return what `navigator.credentials.create` needs (PublicKeyCredentialCreationOptionsJSON).

    `known` are the credentials that the user has at this host already: an authenticator makes no second one.
    """
    entity = PublicKeyCredentialUserEntity(
        id=user.pk.bytes, name=user.email, display_name=user.name or user.email
    )
    options, _ = _server(host).register_begin(
        entity,
        credentials=_descriptors(known),
        resident_key_requirement=ResidentKeyRequirement.PREFERRED,
        user_verification=VERIFICATION,
        challenge=challenge,
    )
    return _json(options.public_key)


def request_options(*, host: str, challenge: str, known: Iterable[bytes] = ()) -> dict[str, Any]:
    """Return what `navigator.credentials.get` needs (PublicKeyCredentialRequestOptionsJSON).

    `known` are the credentials of the user; if it is empty, the browser offers those that it has for the host.
    """
    options, _ = _server(host).authenticate_begin(
        credentials=_descriptors(known),
        user_verification=VERIFICATION,
        challenge=challenge_bytes(challenge),
    )
    return _json(options.public_key)


def register(passkey: Passkey, credential: Mapping[str, Any], *, host: str) -> None:
    """Store the public key of a new passkey from what the browser has made (RegistrationResponseJSON).

    Raises `PasskeyInvalid`, and `PasskeyTaken` if it is set up already.
    """
    if passkey.host != host:
        raise PasskeyInvalid
    server = _server(host)
    _, state = server.register_begin(
        PublicKeyCredentialUserEntity(id=b"-", name="-"),
        user_verification=VERIFICATION,
        challenge=bytes(passkey.challenge),
    )
    try:
        made: AuthenticatorData = server.register_complete(state, _known_members(credential))
    except _UNREADABLE:
        raise PasskeyInvalid from None
    data = made.credential_data
    if (
        data is None
        or type(data.public_key) not in _ACCEPTED
        or len(data.credential_id) > MOST_CREDENTIAL_BYTES
    ):
        raise PasskeyInvalid
    passkey.credential_id = data.credential_id
    passkey.public_key = cbor.encode(dict(data.public_key))
    passkey.sign_count = made.counter
    try:
        with transaction.atomic():
            passkey.save()
    except IntegrityError as violation:
        if "passkey_once" in str(violation):
            raise PasskeyTaken from None
        raise


def user_id_of(credential: Mapping[str, Any]) -> UUID:
    """Return the id of the user that a passkey states when it signs in alone. Raises `PasskeyInvalid`."""
    try:
        return UUID(bytes=websafe_decode(credential["response"]["userHandle"]))
    except _UNREADABLE:
        raise PasskeyInvalid from None


def use(user: User, credential: Mapping[str, Any], *, challenge: str, host: str) -> SecondFactor:
    """Verify what the browser has signed (AuthenticationResponseJSON); return the factor, whose counter is updated.

    Raises `PasskeyInvalid`, and `PasskeyCopied` if the counter did not increase: then the caller must commit nothing.
    """
    passkey = _find(user, credential, host=host)
    assert passkey.credential_id is not None
    assert passkey.public_key is not None
    key: Any = cbor.decode(bytes(passkey.public_key))
    stored = AttestedCredentialData.create(Aaguid.NONE, bytes(passkey.credential_id), CoseKey.parse(key))
    members, server = _known_members(credential), _server(host)
    _, state = server.authenticate_begin(user_verification=VERIFICATION, challenge=challenge_bytes(challenge))
    try:
        server.authenticate_complete(state, [stored], members)
        counter = AuthenticatorData(websafe_decode(members["response"]["authenticatorData"])).counter
    except _UNREADABLE:
        raise PasskeyInvalid from None
    lower = Q(sign_count__lt=counter) | (Q(sign_count=0) if counter == 0 else Q())
    unused = Passkey.objects.filter(pk=passkey.pk).filter(lower)
    if not unused.update(sign_count=counter):
        raise PasskeyCopied(user)
    return passkey.factor


def credentials_of(user: User, *, host: str) -> list[bytes]:
    """Return the ids of the user's confirmed passkeys at a host. One statement."""
    return [bytes(one) for one in _confirmed(user, host=host).values_list("credential_id", flat=True)]


def _find(user: User, credential: Mapping[str, Any], *, host: str) -> Passkey:
    try:
        credential_id = websafe_decode(credential["id"])
    except _UNREADABLE:
        raise PasskeyInvalid from None
    known = _confirmed(user, host=host).filter(credential_id=credential_id)
    found: Passkey | None = known.select_related("factor").first()
    if found is None:
        raise PasskeyInvalid
    return found


def _confirmed(user: User, *, host: str) -> Any:
    return Passkey.objects.filter(factor__user=user, host=host, factor__confirmed_at__isnull=False).order_by(
        "pk"
    )


def _server(host: str) -> Fido2Server:
    scope = required_scope()
    name = scope.name if isinstance(scope, TenantScope) else "Tatami"
    expected = origin(host)
    server = Fido2Server(
        PublicKeyCredentialRpEntity(id=host, name=name), verify_origin=lambda stated: stated == expected
    )
    accepted = {one.ALGORITHM for one in _ACCEPTED}
    server.allowed_algorithms = [one for one in server.allowed_algorithms if one.alg in accepted]
    return server


def _descriptors(known: Iterable[bytes]) -> list[PublicKeyCredentialDescriptor] | None:
    kind = PublicKeyCredentialType.PUBLIC_KEY
    return [PublicKeyCredentialDescriptor(type=kind, id=one) for one in known] or None


def _known_members(credential: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that we verify, without those that browsers add."""
    response = credential.get("response")
    if not isinstance(response, Mapping) or credential.get("type") != "public-key":
        raise PasskeyInvalid
    name = credential.get("id")
    members = {key: response[key] for key in _MEMBERS if key in response}
    if not isinstance(name, str) or not all(isinstance(one, str) for one in members.values()):
        raise PasskeyInvalid
    return {"id": name, "rawId": name, "type": "public-key", "response": members}


def _json(options: Any) -> dict[str, Any]:
    return {key: value for key, value in dict(options).items() if value is not None}
