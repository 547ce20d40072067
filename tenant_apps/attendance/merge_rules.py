"""How the tables of this app are merged when two records of one student become one (see `students.merging`)."""

from typing import Any

from tenant_apps.attendance.models import Attendance, Card, Refusal, ScanAnswer
from tenant_apps.students.merging import VOID_REASON, Merge, move, move_rows, register, register_other


def register_rules() -> None:
    """Register the rules of this app."""
    register(Attendance, rule=merge_attendances)
    register(Card, rule=merge_cards)
    register(Refusal, rule=move(Refusal, "refusals"))
    register_other("scan_answers", move_scan_answers)


def merge_attendances(merge: Merge) -> None:
    """Move the attendances. Of two at one session, the earlier check-in counts, and the other one is voided."""
    live = Attendance.objects.not_voided().select_related("class_session")
    there = {row.class_session_id: row for row in live.filter(student=merge.kept)}
    voided = []
    for row in live.filter(student=merge.duplicate):
        if (other := there.get(row.class_session_id)) is not None:
            kept, dropped = sorted((other, row), key=lambda one: (one.checked_in_at, one is row))
            voided.append(dropped.pk)
            merge.report("attendance", "earlier_check_in", kept=_shown(kept), dropped=_shown(dropped))
    Attendance.objects.filter(pk__in=voided).void(reason=VOID_REASON, by=merge.by, now=merge.now)
    move_rows(merge, Attendance.objects.filter(student=merge.duplicate), "attendance")


def merge_cards(merge: Merge) -> None:
    """Move the cards. A student has one valid card: that of the kept record stays valid, the other one is revoked."""
    cards = Card.objects.filter(student=merge.duplicate)
    valid = Card.objects.filter(student=merge.kept, revoked_at__isnull=True).first()
    lost = cards.filter(revoked_at__isnull=True).first()
    if valid is not None and lost is not None:
        cards.filter(pk=lost.pk).update(revoked_at=merge.now, updated_at=merge.now)
        merge.report("cards", "one_valid_card", kept={"id": valid.pk}, dropped={"id": lost.pk})
    move_rows(merge, cards, "cards")


def move_scan_answers(merge: Merge) -> None:
    """Move the stored responses to nonces to the student who is kept, so that an erasure finds them."""
    ScanAnswer.objects.filter(student=merge.duplicate.pk).update(student=merge.kept.pk, updated_at=merge.now)


def _shown(row: Attendance) -> dict[str, Any]:
    session = {"id": row.class_session_id, "name": row.class_session.name}
    return {"id": row.pk, "class_session": session, "checked_in_at": row.checked_in_at}
