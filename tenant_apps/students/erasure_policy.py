"""What an erasure leaves: every column that takes free text and is not emptied, with the reason.

`tests/students/test_erasure_canaries.py` writes into each text field of each route, erases, and compares what it finds
with this table. Columns of `public` begin with `public.`.
"""

from typing import Final

KEPT_BY_REASON: Final[dict[str, tuple[str, ...]]] = {
    "The dojo's schedule, its disciplines and its places are not about a student.": (
        "classes_trainingclass.name",
        "classes_trainingclass.search_name",
        "classes_trainingclass.class_type",
        "classes_trainingclass.location",
        "classes_classsession.name",
        "classes_classsession.class_type",
        "classes_classsession.location",
        "classes_classsession.note",
        "classes_classsession.cancel_reason",
        "classes_closure.reason",
        "ranks_discipline.name",
        "attendance_device.name",
        "attendance_device.location",
    ),
    "The rules of a rank system are not about a student.": (
        "ranks_ranksystem.name",
        "ranks_rank.name",
        "ranks_rank.native_name",
        "ranks_rank.track",
        "ranks_rankrules.document",
    ),
    "Settings, texts for many and technical names of the dojo and the platform are not about a student.": (
        "dojo_dojosettings.terms",
        "dojo_dojosettings.certificate_title",
        "dojo_dojosettings.certificate_before_name",
        "dojo_dojosettings.certificate_before_rank",
        "dojo_dojosettings.certificate_closing",
        "dojo_dojosettings.certificate_examiners",
        "notifications_notificationtemplate.subject",
        "notifications_notificationtemplate.body",
        "webhooks_webhook.description",
        "accounts_apikey.name",
        "accounts_identityprovider.client_id",
        "public.webhooks_webhook.description",
        "public.accounts_apikey.name",
        "public.tenants_tenant.name",
        "public.tenants_tenant.search_name",
        "public.tenants_tenant.slug",
        "public.tenants_domain.domain",
    ),
    "An exam and a batch are about many: their results are counted, and their reasons explain them to all.": (
        "promotions_exam.name",
        "promotions_exam.location",
        "promotions_exam.guest_examiners",
        "promotions_exam.reopen_reason",
        "promotions_batch.revert_reason",
    ),
    "Users of the staff stay named in history; a login that belongs to the student only is erased.": (
        "accounts_user.name",
        "accounts_user.search_name",
        "accounts_user.email",
        "accounts_user.email_key",
        "accounts_secondfactor.name",
        "public.accounts_user.name",
        "public.accounts_user.search_name",
        "public.accounts_user.email",
        "public.accounts_user.email_key",
        "public.accounts_secondfactor.name",
    ),
    "The audit says who changed what, and why; it does not change.": (
        "accounts_auditentry.reason",
        "public.accounts_auditentry.reason",
    ),
    "The address of a mailed link that someone asked for; deleted when it is sent, or when the link expires.": (
        "accounts_passwordmail.email_key",
        "public.accounts_passwordmail.email_key",
    ),
    "A device's own name for a scan, with which no student is found; deleted after TATAMI_SCAN_ANSWER_DAYS.": (
        "attendance_scananswer.nonce",
    ),
    "A stored response to one of the writes above; deleted after TATAMI_IDEMPOTENCY_DAYS.": (
        "accounts_idempotentanswer.answer",
        "public.accounts_idempotentanswer.answer",
    ),
}

KEPT: Final = {column: reason for reason, columns in KEPT_BY_REASON.items() for column in columns}
"""Column → why an erasure leaves it."""
