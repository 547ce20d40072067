"""What of a dojo does not travel in an archive, or not as it stands, and why. The only place that says so.

An archive is for a new dojo with an id of its own, perhaps beside the old one. So nothing in it may be a key to either:
what a bearer shows (tokens, links, feeds) is left behind and made anew. Codes of students and cards need no rule: they
are sealed with a key of the dojo's UUID and mean nothing in the next one (docs/decisions/0008-codes.md).

Names are those of the tables, not of models: an archive may be older than the code. A rule for a table that archives
have had before would make them unreadable: that needs a new `FORMAT_VERSION`. A rule for a new table does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LEFT_OUT: Final[Mapping[str, str]] = {
    "accounts_session": "sign-ins: everybody signs in anew",
    "accounts_passwordlink": "secrets that were mailed",
    "accounts_attemptcount": "throttling: it counts what was tried there",
    "accounts_idempotentanswer": "answers of one day, kept for those who ask there again",
    "attendance_scananswer": "answers kept by nonce, for devices that are not paired here",
    "classes_calendarfeed": "addresses of feeds are secrets: whoever wants one makes a new one",
}
"""Tables that stay behind → why. No table that travels may refer to one of them."""


@dataclass(frozen=True, slots=True)
class MadeAnew:
    """A column that stays behind. New rows get what `expression` (SQL, evaluated for each) says."""

    expression: str
    why: str


_UNKNOWN_SECRET: Final = "sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))"  # noqa: S105

MADE_ANEW: Final[Mapping[str, Mapping[str, MadeAnew]]] = {
    "attendance_device": {
        "token_hash": MadeAnew("NULL", "a kiosk of the old dojo is not one of the new: it is paired again"),
        "pairing_hash": MadeAnew(
            _UNKNOWN_SECRET, "nobody knows the code: a device is made again to be paired"
        ),
    },
}

WRITTEN_AS: Final[Mapping[str, Mapping[str, str]]] = {
    # What waited to be mailed when the export was made has been mailed by the old dojo, or was withdrawn there.
    "notifications_delivery": {
        "state": "CASE WHEN state = 'queued' THEN 'skipped' ELSE state END",
        "reason": "CASE WHEN state = 'queued' THEN 'exported' ELSE reason END",
    },
}
"""Columns that are written as an SQL expression says, not as they stand. Doing it twice must change nothing."""

FILES: Final[Mapping[str, tuple[str, ...]]] = {"dojo_dojosettings": ("logo",)}
"""Columns that name a file in the storage, below the dojo's id. The files travel; the names, without that id."""
