"""The expected access of each role to each page, written by hand and without reading `config.access`.

A page has the roles that may GET it and those that may POST to it. A new page needs a row here.
"""

from typing import Final

EVERYONE: Final = frozenset({"admin", "instructor", "assistant", "student", None})
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
    "students": {"GET": STAFF},
    "students-export": {"GET": ADMIN},
    "students-import": {"GET": ADMIN, "POST": ADMIN},
    "student-cards": {"GET": STAFF},
    "student-guardians": {"GET": STAFF},
    "student-new": {"GET": STAFF, "POST": STAFF},
    "student": {"GET": STAFF},
    "student-edit": {"GET": STAFF, "POST": STAFF},
    "student-card": {"GET": STAFF, "POST": STAFF},
    "student-visits": {"GET": STAFF},
    "student-data": {"GET": ADMIN},
    "student-archive": {"GET": TEACHERS, "POST": TEACHERS},
    "student-restore": {"POST": TEACHERS},
    "student-erase": {"GET": ADMIN, "POST": ADMIN},
    "student-merge": {"GET": ADMIN, "POST": ADMIN},
    "student-visit-new": {"GET": STAFF, "POST": STAFF},
    "student-visit-void": {"GET": STAFF, "POST": STAFF},
    "student-enrol": {"GET": STAFF, "POST": STAFF},
    "student-enrolment-end": {"GET": STAFF, "POST": STAFF},
    "student-login-new": {"GET": ADMIN, "POST": ADMIN},
    "student-login-end": {"GET": ADMIN, "POST": ADMIN},
    "student-note-new": {"GET": TEACHERS, "POST": TEACHERS},
    "student-note-edit": {"GET": TEACHERS, "POST": TEACHERS},
    "student-note-delete": {"GET": TEACHERS, "POST": TEACHERS},
    "student-hold-new": {"GET": STAFF, "POST": STAFF},
    "student-hold-edit": {"GET": STAFF, "POST": STAFF},
    "student-hold-delete": {"GET": TEACHERS, "POST": TEACHERS},
    "student-fact-new": {"GET": TEACHERS, "POST": TEACHERS},
    "student-fact-void": {"GET": TEACHERS, "POST": TEACHERS},
    "student-rank-new": {"GET": TEACHERS, "POST": TEACHERS},
    "student-rank-void": {"GET": TEACHERS, "POST": TEACHERS},
    "student-award": {"GET": TEACHERS, "POST": TEACHERS},
    # schedule
    # promotions
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
    # family
}
