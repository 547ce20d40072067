"""The access table: which roles may call which method of which route. No other code grants access.

A route or method without a rule is refused at run time, and `manage.py check` reports it. On the platform host the
only role is `admin`, which there means superadmin.

`tests/http/expected_access.py` states the expected access independently of this table; a new route needs both.
"""

from typing import Final

from tatami.api.permissions import (
    ALL,
    AUTHENTICATED,
    OWN,
    PUBLIC,
    RECORDED,
    Rule,
    RuleTable,
    no_api_keys,
    no_impersonation,
    reads_only,
    rule,
    signed_in_only,
)

ADMIN: Final = rule(admin=ALL)
TEACHERS: Final = rule(admin=ALL, instructor=ALL)
STAFF: Final = rule(admin=ALL, instructor=ALL, assistant=ALL)
EVERYONE: Final = rule(admin=ALL, instructor=ALL, assistant=ALL, student=ALL)
EVERYONE_AND_DEVICES: Final = rule(admin=ALL, instructor=ALL, assistant=ALL, student=ALL, device=ALL)
STAFF_AND_OWN: Final = rule(admin=ALL, instructor=ALL, assistant=ALL, student=OWN)
STAFF_AND_DEVICES: Final = rule(admin=ALL, instructor=ALL, assistant=ALL, device=ALL)
STAFF_OWN_AND_DEVICES: Final = rule(admin=ALL, instructor=ALL, assistant=ALL, student=OWN, device=ALL)


def _admins_write(read: Rule, write: Rule = ADMIN) -> dict[str, dict[str, Rule]]:
    return {"many": {"GET": read, "POST": write}, "one": {"GET": read, "PATCH": write, "DELETE": write}}


# `signed_in_only`: a superadmin who impersonates a user and an API key may not change sign-ins, roles and addresses, or
# create secrets that remain valid afterwards. `reads_only`: a POST that a read-only API key may send.
_users = _admins_write(STAFF, write=signed_in_only(ADMIN))
_disciplines = _admins_write(EVERYONE)
_rank_systems = _admins_write(EVERYONE)


def _both(allowed: Rule) -> dict[str, Rule]:
    """Return the rules of a page with a form."""
    return {"GET": allowed, "POST": allowed}


# Pages: their POSTs go to the API, which applies its own rules, too.
PAGES: Final[RuleTable] = {
    "desk:entry": {"GET": PUBLIC},
    "desk:sign-in": {"GET": PUBLIC, "POST": PUBLIC},
    "desk:sign-out": {"POST": PUBLIC},
    "desk:forgot-password": {"GET": PUBLIC, "POST": PUBLIC},
    "desk:set-password": {"GET": PUBLIC, "POST": PUBLIC},
    "desk:impersonate": {"GET": PUBLIC, "POST": PUBLIC},
    "desk:today": {"GET": STAFF},
    "desk:today-live": {"GET": STAFF},
    # students
    "desk:students": {"GET": STAFF},
    "desk:students-export": {"GET": ADMIN},
    "desk:students-import": _both(ADMIN),
    "desk:student-cards": {"GET": STAFF},
    "desk:student-guardians": {"GET": STAFF},
    "desk:student-new": _both(STAFF),
    "desk:student": {"GET": STAFF},
    "desk:student-edit": _both(STAFF),
    "desk:student-card": _both(STAFF),
    "desk:student-visits": {"GET": STAFF},
    "desk:student-data": {"GET": ADMIN},
    "desk:student-archive": _both(TEACHERS),
    "desk:student-restore": {"POST": TEACHERS},
    "desk:student-erase": _both(ADMIN),
    "desk:student-merge": _both(ADMIN),
    "desk:student-visit-new": _both(STAFF),
    # The API lets assistants take back only what they recorded today.
    "desk:student-visit-void": _both(STAFF),
    "desk:student-enrol": _both(STAFF),
    "desk:student-enrolment-end": _both(STAFF),
    "desk:student-login-new": _both(signed_in_only(ADMIN)),
    "desk:student-login-end": _both(signed_in_only(ADMIN)),
    "desk:student-note-new": _both(TEACHERS),
    "desk:student-note-edit": _both(TEACHERS),
    "desk:student-note-delete": _both(TEACHERS),
    "desk:student-hold-new": _both(STAFF),
    "desk:student-hold-edit": _both(STAFF),
    "desk:student-hold-delete": _both(TEACHERS),
    "desk:student-fact-new": _both(TEACHERS),
    "desk:student-fact-void": _both(TEACHERS),
    "desk:student-rank-new": _both(TEACHERS),
    "desk:student-rank-void": _both(TEACHERS),
    "desk:student-award": _both(TEACHERS),
    # schedule
    # promotions
    # office
    "desk:messages": {"GET": TEACHERS},
    "desk:message-new": {"GET": TEACHERS, "POST": TEACHERS},
    "desk:audience-count": {"POST": TEACHERS},
    "desk:message-templates": {"GET": TEACHERS},
    "desk:message-template": {"GET": TEACHERS, "POST": TEACHERS},
    "desk:message": {"GET": TEACHERS, "POST": TEACHERS},
    "desk:message-progress": {"GET": TEACHERS},
    "desk:reports": {"GET": STAFF},
    "desk:report-expected": {"GET": STAFF},
    "desk:report-absentees": {"GET": STAFF},
    "desk:report-ranks": {"GET": STAFF},
    "desk:report-file": {"GET": STAFF},
    "desk:settings": {"GET": STAFF, "POST": ADMIN},
    "desk:settings-tab": {"GET": STAFF, "POST": ADMIN},
    "desk:users": {"GET": ADMIN, "POST": ADMIN},
    "desk:user": {"GET": ADMIN, "POST": ADMIN},
    "desk:sign-in-policy": {"POST": ADMIN},
    "desk:devices": {"GET": ADMIN, "POST": ADMIN},
    "desk:device-revoke": {"POST": ADMIN},
    "desk:api-keys": {"GET": ADMIN, "POST": ADMIN},
    "desk:api-key-revoke": {"POST": ADMIN},
    "desk:webhooks": {"GET": ADMIN, "POST": ADMIN},
    "desk:webhook": {"GET": ADMIN, "POST": ADMIN},
    "desk:audit": {"GET": ADMIN},
    "desk:first-steps": {"GET": ADMIN},
    # kiosk
    # family
}

ACCESS: Final[RuleTable] = {
    **PAGES,
    # every host
    "openapi": {"GET": PUBLIC},
    "docs": {"GET": PUBLIC},
    "login": {"POST": PUBLIC},
    "refresh": {"POST": PUBLIC},
    "logout": {"POST": PUBLIC},
    "password": {"POST": signed_in_only(EVERYONE)},
    "password-reset": {"POST": PUBLIC},
    "password-reset-confirm": {"POST": PUBLIC},
    "me": {"GET": AUTHENTICATED, "PATCH": no_api_keys(EVERYONE)},
    "audit": {"GET": ADMIN},
    "users": _users["many"],
    "user": _users["one"],
    "second-step": {"POST": PUBLIC},
    "second-factor-enrolment": {"POST": PUBLIC},
    "second-factors": {"GET": no_api_keys(EVERYONE), "POST": signed_in_only(EVERYONE)},
    "second-factor": {"GET": no_api_keys(EVERYONE), "DELETE": signed_in_only(EVERYONE)},
    "second-factor-confirmation": {"POST": signed_in_only(EVERYONE)},
    "recovery-codes": {"POST": signed_in_only(EVERYONE)},
    "user-second-factors": {"DELETE": signed_in_only(ADMIN)},
    "sign-in-policy": {"GET": ADMIN, "PATCH": signed_in_only(ADMIN)},
    "api-keys": {"GET": no_api_keys(ADMIN), "POST": signed_in_only(ADMIN)},
    "api-key": {"GET": no_api_keys(ADMIN), "DELETE": no_api_keys(ADMIN)},
    "webhooks": {"GET": ADMIN, "POST": no_impersonation(ADMIN)},
    "webhook": {"GET": ADMIN, "PATCH": no_impersonation(ADMIN), "DELETE": ADMIN},
    "webhook-test": {"POST": ADMIN},
    "webhook-deliveries": {"GET": ADMIN},
    "webhook-redelivery": {"POST": ADMIN},
    # the platform host
    "tenants": {"GET": ADMIN, "POST": ADMIN},
    "tenant": {"GET": ADMIN, "PATCH": ADMIN, "DELETE": ADMIN},
    "tenant-purge": {"POST": ADMIN},
    "tenant-exports": {"POST": ADMIN},
    "tenant-export": {"GET": ADMIN},
    "tenant-export-archive": {"GET": PUBLIC},
    "tenant-domains": {"GET": ADMIN, "POST": ADMIN},
    "tenant-domain": {"GET": ADMIN, "PATCH": ADMIN, "DELETE": ADMIN},
    "tenant-domain-verification": {"POST": ADMIN},
    "tenant-usage": {"GET": ADMIN},
    "tenant-impersonations": {"POST": no_api_keys(ADMIN)},
    # a dojo's host
    "settings": {"GET": STAFF, "PATCH": ADMIN},
    "settings-logo": {"GET": STAFF, "PUT": ADMIN, "DELETE": ADMIN},
    "disciplines": _disciplines["many"],
    "discipline": _disciplines["one"],
    "rank-system-presets": {"GET": EVERYONE},
    "rank-systems": _rank_systems["many"],
    "rank-system": _rank_systems["one"],
    "rank-system-rules": {"GET": EVERYONE, "PUT": ADMIN},
    "students": {"GET": STAFF_AND_OWN, "POST": STAFF},
    "student": {"GET": STAFF_AND_OWN, "PATCH": STAFF, "DELETE": TEACHERS},
    "guardians": {"GET": STAFF_AND_OWN},
    "student-holds": {"GET": STAFF_AND_OWN, "POST": STAFF},
    "student-hold": {"GET": STAFF_AND_OWN, "PATCH": STAFF, "DELETE": TEACHERS},
    "students-import": {"POST": ADMIN},
    "students-export": {"GET": ADMIN},
    "rank-events-import": {"POST": ADMIN},
    "facts-import": {"POST": ADMIN},
    "student-export": {"GET": ADMIN},
    "student-erasure": {"POST": ADMIN},
    "student-merge": {"POST": ADMIN},
    "student-transfers": {"POST": ADMIN},
    "student-notes": {"GET": STAFF, "POST": TEACHERS},
    "student-note": {"GET": STAFF, "PATCH": TEACHERS, "DELETE": TEACHERS},
    "student-facts": {"GET": STAFF_AND_OWN, "POST": TEACHERS},
    "fact-void": {"POST": TEACHERS},
    "student-rank-events": {"GET": STAFF_AND_OWN, "POST": TEACHERS},
    "rank-events": {"GET": STAFF_AND_OWN},
    "rank-event-void": {"POST": TEACHERS},
    "classes": {"GET": EVERYONE, "POST": TEACHERS},
    "class": {"GET": EVERYONE, "PATCH": TEACHERS, "DELETE": TEACHERS},
    "class-enrolments": {"GET": STAFF_AND_OWN, "POST": STAFF},
    "class-enrolment": {"DELETE": STAFF},
    "class-sessions": {"GET": EVERYONE_AND_DEVICES, "POST": TEACHERS},
    "class-session": {"GET": EVERYONE_AND_DEVICES, "PATCH": TEACHERS},
    "class-session-cancellation": {"POST": TEACHERS, "DELETE": TEACHERS},
    "class-session-roster": {"PUT": rule(admin=ALL, instructor=ALL, assistant=RECORDED)},
    "closures": {"GET": EVERYONE, "POST": TEACHERS},
    "closure": {"GET": EVERYONE, "DELETE": TEACHERS},
    "my-calendar": {"POST": signed_in_only(EVERYONE), "DELETE": no_api_keys(EVERYONE)},
    "calendar": {"GET": PUBLIC},
    "report-attendance": {"GET": STAFF},
    "report-absentees": {"GET": STAFF},
    "report-ranks": {"GET": STAFF},
    "report-expected-attendance": {"GET": STAFF},
    "qr": {"POST": STAFF_OWN_AND_DEVICES},
    "student-card": {"POST": STAFF, "DELETE": STAFF},
    "scan": {"POST": STAFF_OWN_AND_DEVICES},
    "sync": {"POST": STAFF_AND_DEVICES},
    "attendance": {"GET": STAFF_AND_OWN, "POST": STAFF},
    "attendance-import": {"POST": ADMIN},
    "attendance-entry": {"GET": STAFF_AND_OWN},
    "attendance-void": {"POST": rule(admin=ALL, instructor=ALL, assistant=RECORDED)},
    "student-attendance": {"GET": STAFF_AND_OWN},
    "refusals": {"GET": STAFF},
    "devices": {"GET": ADMIN, "POST": signed_in_only(ADMIN)},
    "device": {"GET": ADMIN, "DELETE": ADMIN},
    "device-pairing": {"POST": PUBLIC},
    "check-in": {"GET": PUBLIC},
    "promotion-check": {"POST": reads_only(STAFF_AND_OWN)},
    "promotion-snapshot": {"GET": STAFF},
    "promotions": {"POST": TEACHERS},
    "promotion-batches": {"GET": TEACHERS, "POST": TEACHERS},
    "promotion-batch": {"GET": TEACHERS},
    "promotion-batch-results": {"GET": TEACHERS},
    "promotion-batch-cancel": {"POST": TEACHERS},
    "promotion-batch-revert": {"POST": TEACHERS},
    "rank-event-decision": {"GET": STAFF_AND_OWN},
    "notifications": {"GET": TEACHERS, "POST": TEACHERS},
    "notification": {"GET": TEACHERS},
    "notification-recipients": {"GET": TEACHERS},
    "notification-cancel": {"POST": TEACHERS},
    "notification-templates": {"GET": TEACHERS},
    "notification-template": {"GET": TEACHERS, "PUT": TEACHERS},
    "notification-template-preview": {"POST": reads_only(TEACHERS)},
    "notification-template-test": {"POST": TEACHERS},
    "unsubscribe": {"GET": PUBLIC, "POST": PUBLIC},
    "rank-event-certificate": {"GET": STAFF_AND_OWN},
    "certificate": {"GET": PUBLIC},
    "exams": {"GET": STAFF_AND_OWN, "POST": TEACHERS},
    "exam": {"GET": STAFF_AND_OWN, "PATCH": TEACHERS, "DELETE": TEACHERS},
    "exam-candidates": {"GET": STAFF_AND_OWN, "POST": TEACHERS},
    "exam-candidate": {"DELETE": TEACHERS},
    "exam-candidate-sheet": {"GET": STAFF_AND_OWN},
    "exam-candidate-fulfilment": {"POST": TEACHERS},
    "student-exams": {"GET": STAFF_AND_OWN},
    "exam-results": {"POST": TEACHERS},
    "exam-finish": {"POST": TEACHERS},
    "exam-reopening": {"POST": TEACHERS},
    "exam-list": {"GET": STAFF},
    "exam-certificates": {"GET": STAFF},
    "exam-federation-report": {"GET": STAFF},
    "exam-federation-report-pdf": {"GET": STAFF},
}
