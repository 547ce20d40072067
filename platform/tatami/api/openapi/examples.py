"""The ids, times and secrets of the OpenAPI examples. Tests replace ids and secrets with their own."""

from typing import Any, Final


def _id(number: int) -> str:
    return f"0197722e-{number:04x}-7000-8000-5e15f1d0c0de"


TENANT: Final = _id(1)
DELETED_TENANT: Final = _id(2)
SERVING_TENANT: Final = _id(71)
USER: Final = _id(3)
NEW_USER: Final = _id(4)
STUDENT: Final = _id(5)
NEW_STUDENT: Final = _id(6)
GUARDIAN: Final = _id(7)
NOTE: Final = _id(8)
FACT: Final = _id(9)
HOLD: Final = _id(10)
RANK_EVENT: Final = _id(11)
DISCIPLINE: Final = _id(12)
NEW_DISCIPLINE: Final = _id(13)
RANK_SYSTEM: Final = _id(14)
RANK: Final = _id(15)
NEXT_RANK: Final = _id(16)
CLASS: Final = _id(17)
SESSION: Final = _id(18)
ENROLMENT: Final = _id(19)
ATTENDANCE: Final = _id(20)
REFUSAL: Final = _id(21)
AUDIT_ENTRY: Final = _id(22)
SETTINGS: Final = _id(23)
DEVICE: Final = _id(24)
CARD: Final = _id(25)
AWARD: Final = _id(26)
DECISION: Final = _id(27)
BATCH: Final = _id(28)
BATCH_ITEM: Final = _id(29)
SNAPSHOT: Final = _id(30)
CLOSURE: Final = _id(31)
PAST_ENROLMENT: Final = _id(32)
EXAM: Final = _id(41)
CANDIDATE: Final = _id(42)
FINISHED_EXAM: Final = _id(43)
CONDITIONAL_EXAM: Final = _id(44)
CONDITIONAL_CANDIDATE: Final = _id(45)
EXPORT: Final = _id(61)
OWN_EXPORT: Final = _id(62)
KEPT_EXPORT: Final = _id(63)
API_KEY: Final = _id(81)
WEBHOOK: Final = _id(82)
SECOND_FACTOR: Final = _id(85)
NEW_SECOND_FACTOR: Final = _id(86)
OWN_SESSION: Final = _id(87)
WEBHOOK_DELIVERY: Final = _id(83)
WEBHOOK_EVENT: Final = _id(84)
NOTIFICATION: Final = _id(51)
DELIVERY: Final = _id(52)
PLATFORM: Final = "00000000-0000-0000-0000-000000000000"

EMAIL: Final = "hana@example.com"
PASSWORD: Final = "the old bamboo sword"  # noqa: S105
NEW_PASSWORD: Final = "a much newer bokken"  # noqa: S105
ACCESS: Final = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwMTk3In0.c2lnbmF0dXJl"
REFRESH: Final = "rK5v0bS1nq0f8vYc2m3cZ1l5N7o9pQ4t"
LINK: Final = "secret-of-a-mailed-link"
DELETED_SLUG: Final = "old-dojo"
DOMAIN: Final = "www.seishin-dojo.de"
CLAIMED_DOMAIN: Final = "kids.seishin-dojo.de"
RECORD: Final = "tatami-verification=u5cgdvfafz7jppgxo2x4kkn3hmqv7eyd"
PAIRING_CODE: Final = "7KQ2-M9XR"
DEVICE_TOKEN: Final = "device_3xG0mN1s9dQ4vB7yT2kLwZ5cR8hP6jFa"  # noqa: S105
PASSKEY_CHALLENGE: Final = "eyJob3N0Ijoic2Vpc2hpbiJ9:c2lnbmF0dXJl"
PASSKEY: Final = {
    "id": "u4Jx0cE1pG2sVw3yZ5aBtQ",
    "clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0",
    "authenticatorData": "SZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2MFAAAAAQ",
    "signature": "MEUCIQDxX1kK0m4pXcXq0l7r3S5uTnY9aB2cD4eF6gH8",
    "userHandle": "AZdyLh8AcACAAF4V8dDA3g",
}
CHALLENGE: Final = "eyJ1c2VyIjoiMDE5NyJ9:c2lnbmF0dXJl"
ENROLMENT_CHALLENGE: Final = "eyJ1c2VyIjoiMDE5OCJ9:c2lnbmF0dXJl"
ISSUER: Final = "https://login.example.com"
OIDC_STATE: Final = "c3RhdGUtb2YtdGhlLWJyb3dzZXI"
OIDC_PROVIDER_CODE: Final = "SplxlOBeZQQYbYS6WxSbIA"
OIDC_CODE: Final = "eyJ1c2VyIjoiMDE5OSJ9:c2lnbmF0dXJl"
CODE_VERIFIER: Final = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
TOTP_CODE: Final = "492039"
WEBHOOK_SECRET: Final = "whsec_h0Mo8vVx3mV4n0K2Qe1sZx7wqkq0l7r3S5uTnY9aB2c="  # noqa: S105
API_KEY_TEXT: Final = "tatk_9f2c1e4b7a6d5c3f8e0b1a2d9c4f6e7b8a5d3c2f1e0b9a8d"
FEED: Final = "x1Wc7mUO0kq5bT3yJ9hLr2ZsV8nDfGaE"
ARCHIVE_LINK: Final = "1781542500.6f1c0e9b2d7a4c5e8f3b1a0d9c8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d0e"
EXTERNAL_ID: Final = "M-0815"
LOGO: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAA"
    "DUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
"""One red pixel."""
CERTIFICATE: Final = "7KQ2-M9XR-4T1B-0ZVD"
CODE: Final = "BCGNHDJCKTVTFGGSGHDBJNTTXXSRVHKRSSBFNCDVLKGCBXJTJCRPKVKFXKLSBLSBTVJVNGNRDJ"

UNSUBSCRIBE: Final = "nYd0xJ3mTq7cVwLr5bH2sK9fGzP4aEuQ6iNoXtRvWyBlCjDhMkSgUpZe1A8I_-0F"
ME: Final = "me@example.com"

NOW: Final = "2026-06-15T16:40:00Z"
STAMPS: Final[dict[str, Any]] = {"created_at": NOW, "updated_at": NOW}


def row(id_: str, **fields: Any) -> dict[str, Any]:
    """Return the example of a resource of a dojo: its own fields between the common fields."""
    return {"id": id_, "tenant_id": TENANT, **fields, **STAMPS}


def reference(id_: str, name: str) -> dict[str, str]:
    """Return the example of a reference, as in a response."""
    return {"id": id_, "name": name}


MIKA: Final = reference(STUDENT, "Mika Sato")
HANA: Final = reference(USER, "Hana Sato")
AIKIDO: Final = reference(DISCIPLINE, "Aikido")
GRADES: Final = reference(RANK_SYSTEM, "Aikikai Hombu grades")
FIFTH_KYU: Final = reference(RANK, "5th kyu")
FOURTH_KYU: Final = reference(NEXT_RANK, "4th kyu")
EVENING: Final = reference(CLASS, "Evening class")
THIS_EVENING: Final = reference(SESSION, "Evening class")
