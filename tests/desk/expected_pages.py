"""The expected access of each role to each page, written by hand and without reading `config.access`.

A page has the roles that may GET it and those that may POST to it. A new page needs a row here.
"""

from typing import Final

EVERYONE: Final = frozenset({"admin", "instructor", "assistant", "student", None})
USERS: Final = frozenset({"admin", "instructor", "assistant", "student"})
STAFF: Final = frozenset({"admin", "instructor", "assistant"})
TEACHERS: Final = frozenset({"admin", "instructor"})
ADMIN: Final = frozenset({"admin"})
FAMILY: Final = frozenset({"student"})

PAGES: Final[dict[str, dict[str, frozenset[str | None]]]] = {
    "entry": {"GET": EVERYONE},
    "sign-in": {"GET": EVERYONE, "POST": EVERYONE},
    "sign-out": {"POST": EVERYONE},
    "forgot-password": {"GET": EVERYONE, "POST": EVERYONE},
    "set-password": {"GET": EVERYONE, "POST": EVERYONE},
    "impersonate": {"GET": EVERYONE, "POST": EVERYONE},
    "today": {"GET": STAFF},
    "today-live": {"GET": STAFF},
    # students
    # schedule
    # promotions
    "promotions": {"GET": STAFF},
    "promotion-award": {"GET": TEACHERS, "POST": TEACHERS},
    "promotion-exam": {"GET": TEACHERS, "POST": TEACHERS},
    "batches": {"GET": TEACHERS},
    "batch-new": {"GET": TEACHERS, "POST": TEACHERS},
    "batch": {"GET": TEACHERS},
    "batch-progress": {"GET": TEACHERS},
    "batch-cancel": {"GET": TEACHERS, "POST": TEACHERS},
    "batch-revert": {"GET": TEACHERS, "POST": TEACHERS},
    "exams": {"GET": STAFF},
    "exam-new": {"GET": TEACHERS, "POST": TEACHERS},
    "exam": {"GET": STAFF},
    "exam-change": {"GET": TEACHERS, "POST": TEACHERS},
    "exam-delete": {"GET": TEACHERS, "POST": TEACHERS},
    "exam-invite": {"GET": TEACHERS, "POST": TEACHERS},
    "exam-invite-search": {"GET": TEACHERS},
    "exam-result": {"POST": TEACHERS},
    "exam-withdraw": {"GET": TEACHERS, "POST": TEACHERS},
    "exam-fulfilment": {"GET": TEACHERS, "POST": TEACHERS},
    "exam-finish": {"GET": TEACHERS, "POST": TEACHERS},
    "exam-reopen": {"GET": TEACHERS, "POST": TEACHERS},
    "exam-examiners-list": {"GET": STAFF},
    "exam-certificates": {"GET": STAFF},
    "exam-federation-report": {"GET": STAFF},
    "exam-sheet": {"GET": STAFF},
    "certificates": {"GET": STAFF},
    "certificate-pdf": {"GET": STAFF},
    "rank-systems": {"GET": STAFF},
    "rank-system-new": {"GET": ADMIN, "POST": ADMIN},
    "rank-system-new-text": {"GET": ADMIN, "POST": ADMIN},
    "rank-system": {"GET": STAFF, "POST": ADMIN},
    "rank-system-change": {"GET": ADMIN, "POST": ADMIN},
    "rank-system-text": {"GET": ADMIN, "POST": ADMIN},
    "rank-system-archive": {"GET": ADMIN, "POST": ADMIN},
    "disciplines": {"GET": STAFF, "POST": ADMIN},
    "discipline": {"GET": ADMIN, "POST": ADMIN},
    # office
    "messages": {"GET": TEACHERS},
    "message-new": {"GET": TEACHERS, "POST": TEACHERS},
    "audience-count": {"POST": TEACHERS},
    "message-templates": {"GET": TEACHERS},
    "message-template": {"GET": TEACHERS, "POST": TEACHERS},
    "message": {"GET": TEACHERS, "POST": TEACHERS},
    "message-progress": {"GET": TEACHERS},
    "reports": {"GET": STAFF},
    "report-expected": {"GET": STAFF},
    "report-absentees": {"GET": STAFF},
    "report-ranks": {"GET": STAFF},
    "report-file": {"GET": STAFF},
    "settings": {"GET": STAFF, "POST": ADMIN},
    "settings-tab": {"GET": STAFF, "POST": ADMIN},
    "users": {"GET": ADMIN, "POST": ADMIN},
    "user": {"GET": ADMIN, "POST": ADMIN},
    "sign-in-policy": {"POST": ADMIN},
    "devices": {"GET": ADMIN, "POST": ADMIN},
    "device-revoke": {"POST": ADMIN},
    "api-keys": {"GET": ADMIN, "POST": ADMIN},
    "api-key-revoke": {"POST": ADMIN},
    "webhooks": {"GET": ADMIN, "POST": ADMIN},
    "webhook": {"GET": ADMIN, "POST": ADMIN},
    "audit": {"GET": ADMIN},
    "first-steps": {"GET": ADMIN},
    # kiosk
    "kiosk": {"GET": EVERYONE},
    "kiosk-worker": {"GET": EVERYONE},
    "kiosk-manifest": {"GET": EVERYONE},
    # the page behind the code of a session: public, since a person who scans it may have no login yet
    "check-in": {"GET": EVERYONE, "POST": USERS},
    # family
    "family": {"GET": FAMILY},
    "family-manifest": {"GET": EVERYONE},
    "family-calendar": {"GET": FAMILY, "POST": FAMILY},
    "family-student": {"GET": FAMILY},
    "family-code": {"GET": FAMILY},
    "family-code-image": {"GET": FAMILY},
    "family-certificate": {"GET": FAMILY},
}
