"""Which data of a tenant is not exported, or not exported unchanged, and why. The only place for these rules.

An archive is restored as a new tenant with an id of its own, possibly while the old tenant still exists. So an archive
must not contain a credential for either: tokens, links and feed addresses are left out and generated again. Codes of
students and cards need no rule: they are signed with a key that depends on the tenant's UUID, so they are invalid in
another tenant (docs/decisions/0008-codes.md).

The names are those of tables, not of models, because an archive may be older than the code. Do not add a rule for a
table that existing archives contain, because they would become unreadable: that needs a new `FORMAT_VERSION`. A rule
for a new table does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

EXCLUDED_TABLES: Final[Mapping[str, str]] = {
    "accounts_session": "sessions: all users sign in again",
    "accounts_passwordlink": "secrets that were mailed",
    "accounts_passwordmail": "mail that waits: the old tenant sends it",
    "accounts_secondfactor": "authenticators of the old tenant: users set them up again",
    "accounts_recoverycode": "secrets that belong to those",
    "accounts_passkey": "passkeys of the old tenant: browsers offer them at its host only",
    "accounts_usedchallenge": "kept for minutes, for challenges of the old tenant",
    "accounts_identityprovider": "it sends users back to the old tenant, and its secret is encrypted for that one",
    "accounts_linkedidentity": "accounts at that provider",
    "accounts_attemptcount": "throttling: counts attempts at the old tenant",
    "accounts_idempotentanswer": "responses kept for one day, for clients that repeat a request there",
    "attendance_scananswer": "responses kept by nonce, for devices that are not paired with the new tenant",
    "webhooks_webhook": "receivers of the old tenant, with their secrets: they would get the events of both",
    "webhooks_webhookdelivery": "the log and the queue of those",
    "classes_calendarfeed": "the address of a feed is a secret: users create a new one",
}
"""Tables that are not exported → why. No exported table may refer to one of them."""


@dataclass(frozen=True, slots=True)
class RegeneratedColumn:
    """A column that is not exported. Each restored row gets the value of `expression`, which is SQL."""

    expression: str
    why: str


_UNKNOWN_SECRET: Final = "sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))"  # noqa: S105

REGENERATED_COLUMNS: Final[Mapping[str, Mapping[str, RegeneratedColumn]]] = {
    "attendance_device": {
        "token_hash": RegeneratedColumn(
            "NULL", "a kiosk of the old tenant is not one of the new tenant: pair it again"
        ),
        "pairing_hash": RegeneratedColumn(
            _UNKNOWN_SECRET, "no one knows this code: create the device again to pair it"
        ),
    },
    "accounts_apikey": {
        "key_hash": RegeneratedColumn(_UNKNOWN_SECRET, "a key is a credential for the old tenant"),
        "revoked_at": RegeneratedColumn("now()", "no one has a key of the new tenant: create new ones"),
    },
}
"""Table → column → the rule."""

EXPORT_EXPRESSIONS: Final[Mapping[str, Mapping[str, str]]] = {
    # Mail that waited when the export was built has since been sent by the old tenant, or was withdrawn there.
    "notifications_delivery": {
        "state": "CASE WHEN state = 'queued' THEN 'skipped' ELSE state END",
        "reason": "CASE WHEN state = 'queued' THEN 'exported' ELSE reason END",
    },
}
"""Columns that are exported as an SQL expression. Applying an expression twice must change nothing more."""

FILE_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {"dojo_dojosettings": ("logo",)}
"""Columns that name a file in the storage below the tenant's id. The files are exported; the names without that id."""
