"""An adult student, or the guardians of a child; each address once; unreachable students are reported."""

from datetime import date
from uuid import UUID

import pytest

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tenant_apps.dojo.dates import LeapDayBirthday
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.notifications.recipients import deliveries_for
from tenant_apps.students.events import Notice
from tenant_apps.students.models import Student
from tests.notifications.mail_factories import (
    CHILD_BIRTH_DATE,
    guardian,
    queue_mail,
    read_notification,
    send_all,
    student,
)
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import ok


def test_an_adult_student_gets_the_mail(dojo: Dojo) -> None:
    hana = guardian("Hana Sato", "hana@example.com")
    queue_mail(dojo, student(dojo, "Mika", email="mika@example.com", guardians=[hana]))
    (mail,) = send_all(dojo)
    assert (mail.to, mail.subject, mail.body.splitlines()[0]) == (
        ["mika@example.com"],
        "News for Mika Sato",
        "Dear Mika Sato",
    )


def test_all_guardians_with_an_address_get_the_mail_about_a_child(dojo: Dojo) -> None:
    family = [
        guardian("Hana Sato", "hana@example.com"),
        guardian("Jun Ito", "jun@example.com"),
        guardian("Oma"),
    ]
    queue_mail(dojo, student(dojo, "Mika", email="mika@example.com", born=CHILD_BIRTH_DATE, guardians=family))
    assert [(mail.to, mail.body.splitlines()[0]) for mail in send_all(dojo)] == [
        (["hana@example.com"], "Dear Hana Sato"),
        (["jun@example.com"], "Dear Jun Ito"),
    ]


def test_siblings_are_one_mail_per_address_whatever_its_case(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", born=CHILD_BIRTH_DATE, guardians=[guardian("Hana Sato", "hana@example.com")])
    ren = student(dojo, "Ren", born=CHILD_BIRTH_DATE, guardians=[guardian("Hana Sato", "Hana@Example.com")])
    note = queue_mail(dojo, mika, ren)
    (mail,) = send_all(dojo)
    assert (mail.to, mail.subject) == (["hana@example.com"], "News for Mika Sato and Ren Sato")
    (row,) = read_notification(dojo, note)["recipients"]
    assert [one["name"] for one in row["students"]] == ["Mika Sato", "Ren Sato"]


def test_without_a_birth_date_guardians_come_first_and_then_the_student(dojo: Dojo) -> None:
    hana = guardian("Hana Sato", "hana@example.com")
    queue_mail(
        dojo,
        student(dojo, "Mika", email="mika@example.com", born=None, guardians=[hana]),
        student(dojo, "Ren", email="ren@example.com", born=None, guardians=[guardian("Jun")]),
    )
    assert [mail.to for mail in send_all(dojo)] == [["hana@example.com"], ["ren@example.com"]]


def test_unreachable_students_are_counted_and_named(dojo: Dojo) -> None:
    child = student(
        dojo, "Mika", email="mika@example.com", born=CHILD_BIRTH_DATE, guardians=[guardian("Hana")]
    )
    note = queue_mail(dojo, child, student(dojo, "Ren"))
    assert (note["total"], note["skipped"], note["status"]) == (2, 2, "done")
    rows = read_notification(dojo, note)["recipients"]
    assert [(row["state"], row["reason"], row["students"][0]["name"]) for row in rows] == [
        ("skipped", "no_address", "Mika Sato"),
        ("skipped", "no_address", "Ren Sato"),
    ]
    assert send_all(dojo) == []


@pytest.mark.parametrize(("rule", "reached"), [("mar1", "hana@example.com"), ("feb28", "mika@example.com")])
def test_a_student_born_on_a_leap_day_becomes_an_adult_by_the_dojos_rule(
    dojo: Dojo, rule: str, reached: str
) -> None:
    """On 28 February 2026 the student is 18 if the rule puts the birthday there in a common year."""
    hana = guardian("Hana Sato", "hana@example.com")
    mika = student(dojo, "Mika", email="mika@example.com", born="2008-02-29", guardians=[hana])
    with tenant_scope(dojo.tenant):
        settings = DojoSettings(leap_day_birthday=LeapDayBirthday(rule))
        (mail,) = deliveries_for([Notice(UUID(mika["id"]))], settings=settings, on=date(2026, 2, 28))
    assert mail.address == reached


def test_an_archived_student_gets_no_mail(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", email="mika@example.com")
    ok(dojo.admin.delete(f"/students/{mika['id']}"), 204)
    with tenant_scope(dojo.tenant):
        assert deliveries_for([Notice(UUID(mika["id"]))], settings=DojoSettings(), on=NOW.date()) == []


def test_an_invalid_address_counts_as_no_address(dojo: Dojo) -> None:
    """A row that did not come through the API."""
    mika = student(dojo, "Mika", email="mika@example.com")
    with tenant_scope(dojo.tenant):
        Student.objects.filter(pk=mika["id"]).update(email="a@b.example\nBcc: all@example.com")
    note = queue_mail(dojo, mika)
    assert [row["reason"] for row in read_notification(dojo, note)["recipients"]] == ["no_address"]


@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        ({}, {"Active"}),
        ({"status": "active"}, {"Active"}),
        ({"status": "trial"}, {"Trial"}),
        ({"status": "on_hold"}, {"Resting"}),
    ],
)
def test_an_audience_is_selected_by_status(dojo: Dojo, audience: dict[str, str], expected: set[str]) -> None:
    for name, status in (("Active", "active"), ("Trial", "trial"), ("Gone", "inactive")):
        student(dojo, name, email=f"{name}@example.com", status=status)
    resting = student(dojo, "Resting", email="resting@example.com")
    dojo.create(f"/students/{resting['id']}/holds", {"from": "2026-06-01"})
    note = queue_mail(dojo, audience=audience)
    rows = read_notification(dojo, note)["recipients"]
    assert {row["recipient"].split()[0] for row in rows} == expected


def test_an_audience_is_selected_by_class(dojo: Dojo) -> None:
    recurrence = {"weekdays": ["mo"], "start_time": "18:30", "duration_minutes": 90, "from": "2026-06-01"}
    evening = dojo.create("/classes", {"name": "Evening", "recurrence": recurrence})
    mika, _ = student(dojo, "Mika", email="m@example.com"), student(dojo, "Ren", email="r@example.com")
    dojo.admin.post(f"/classes/{evening['id']}/enrolments", {"student": mika["id"]})
    note = queue_mail(dojo, audience={"class": evening["id"]})
    assert [row["address"] for row in read_notification(dojo, note)["recipients"]] == ["m@example.com"]
    assert note["audience"] == {"class": evening["id"]}
    assert clock.now() == NOW
