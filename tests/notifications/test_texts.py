"""A dojo's own texts: what they may say, and what is refused when they are saved, with the line."""

import time
from typing import Any

import pytest
from django.core import mail

from tatami.tenancy.scope import tenant_scope
from tenant_apps.dojo.models import Language
from tenant_apps.notifications.kinds import Kind
from tenant_apps.notifications.letters import default_letter, refuse_broken
from tenant_apps.notifications.models import Notification, NotificationTemplate
from tests.notifications.mailroom import A_CHILD, guardian, send_all, student
from tests.support.clients import Dojo
from tests.support.responses import done, invalid, refusal

PROMOTION = "/notification-templates/promotion"


def put(dojo: Dojo, body: str, subject: str = "Well done, {{ student }}", name: str = "promotion") -> Any:
    return dojo.instructor.put(f"/notification-templates/{name}", {"subject": subject, "body": body})


def test_the_apps_own_text_is_in_force_until_there_is_another(dojo: Dojo, other_dojo: Dojo) -> None:
    before = done(dojo.admin.get(PROMOTION))
    assert (before["is_default"], before["language"]) == (True, "en")
    assert {"dojo", "recipient", "student", "students", "rank", "awarded_on"} <= set(before["variables"])
    kept = done(put(dojo, "{{ rank }}!"))
    assert kept == done(dojo.admin.get(PROMOTION))
    assert (kept["is_default"], kept["body"]) == (False, "{{ rank }}!")
    assert done(other_dojo.admin.get(PROMOTION)) == before
    assert done(dojo.admin.get(f"{PROMOTION}?language=pt-br"))["is_default"]


def test_the_apps_own_text_sent_back_is_the_apps_own_again(dojo: Dojo) -> None:
    before = done(dojo.admin.get(PROMOTION))
    put(dojo, "{{ rank }}!")
    assert done(put(dojo, before["body"], before["subject"])) == before
    with tenant_scope(dojo.tenant):
        assert not NotificationTemplate.objects.exists()


def test_the_list_shows_every_kind_in_the_dojos_language(dojo: Dojo) -> None:
    done(dojo.admin.patch("/settings", {"language": "pt-br"}))
    rows = done(dojo.admin.get("/notification-templates"))
    assert [row["name"] for row in rows] == list(Kind.values)
    assert {row["language"] for row in rows} == {"pt-br"}


@pytest.mark.parametrize("language", Language.values)
@pytest.mark.parametrize("kind", list(Kind))
def test_the_apps_own_texts_are_not_broken(dojo: Dojo, kind: Kind, language: str) -> None:
    with tenant_scope(dojo.tenant):
        refuse_broken(kind, default_letter(kind, language), language)


def test_a_preview_writes_to_whom_a_mail_would_go_and_keeps_nothing(dojo: Dojo) -> None:
    hana = guardian("Hana Sato", "hana@example.com")
    mika = student(dojo, "Mika", born=A_CHILD, guardians=[hana])
    asked = {"subject": "{{ student }}: {{ rank }}", "body": "Dear {{ recipient }}", "student": mika["id"]}
    assert done(dojo.instructor.post(f"{PROMOTION}/preview", asked)) == {
        "subject": "Mika Sato: 4th kyu",
        "body": "Dear Hana Sato\n",
        "language": "en",
    }
    with tenant_scope(dojo.tenant):
        assert not Notification.objects.exists()
    assert send_all(dojo) == []


def test_a_trial_goes_to_the_caller_and_to_nobody_else(dojo: Dojo) -> None:
    put(dojo, "{{ rank }}!", subject="Trial")
    made = done(dojo.instructor.post(f"{PROMOTION}/test", {"email": "INSTRUCTOR@example.com"}), 202)
    assert (made["test"], made["total"]) == (True, 1)
    (sent,) = send_all(dojo)
    assert (sent.to, sent.subject, sent.body) == (["instructor@example.com"], "Trial", "4th kyu!\n")
    invalid(dojo.instructor.post(f"{PROMOTION}/test", {"email": "hana@example.com"}), "email")


def test_a_trial_of_a_letter_reaches_nobody_of_its_audience(dojo: Dojo) -> None:
    student(dojo, "Mika", email="mika@example.com")
    body = {"audience": {}, "subject": "News", "body": "For {{ student }}", "test": True}
    done(dojo.admin.post("/notifications", body), 202)
    assert [sent.to for sent in send_all(dojo)] == [["admin@example.com"]]


@pytest.mark.parametrize("name", ["birthday", "promotion.txt", "..%2Fpromotion"])
def test_there_are_no_other_texts(dojo: Dojo, name: str) -> None:
    refusal(dojo.admin.get(f"/notification-templates/{name}"), 404, "not_found")
    refusal(put(dojo, "x", name=name), 404, "not_found")


WALKS = (
    "student.__class__",
    "student.__class__.__mro__",
    "students.first.__class__",
    "dojo['__init__']",
    "students[0].id",
    "students.first.id",
    "self",
    "settings",
    "request",
    "now",
    "students[student]",
    "rank.system",
)


@pytest.mark.parametrize("walk", WALKS)
def test_there_is_no_way_from_a_variable_to_anything_else(dojo: Dojo, walk: str) -> None:
    details = invalid(put(dojo, f"Dear {{{{ recipient }}}},\n\n{{{{ {walk} }}}}"), "body")
    assert details["body"][0].startswith("line 3: ")


def test_a_loop_may_call_each_of_them_student(dojo: Dojo) -> None:
    text = "{{ student }}{% for student in students %}\n{{ student.name }}: {{ student.rank }}{% endfor %}"
    done(put(dojo, text))
    shown = done(dojo.admin.post(f"{PROMOTION}/preview", {}))
    assert shown["body"] == "Mika Sato\nMika Sato: 4th kyu\n"


def test_a_loop_over_students_names_what_each_has_and_no_more(dojo: Dojo) -> None:
    done(put(dojo, "{% for one in students %}{{ one.name }}: {{ one.rank }}{% endfor %}"))
    for wrong in ("one.id", "one.certificate", "one.__class__", "one.name.size", "forloop.parentloop.name"):
        invalid(put(dojo, f"{{% for one in students %}}{{{{ {wrong} }}}}{{% endfor %}}"), "body")


BROKEN = (
    ("{{ nobody }}", 1, "nobody"),
    ("a\n{{ student | nope }}", 2, "nope"),
    ("a\nb\n{{ student", 3, "}}"),
    ("a\n{% if student %}b", 2, "endif"),
    ("a\n\n{% endfor %}", 3, "endfor"),
    ("{% include 'promotion' %}", 1, "include"),
    ("x\n{% render 'promotion' %}", 2, "render"),
    ("{% assign x = student %}", 1, "assign"),
    ("{% capture x %}a{% endcapture %}", 1, "capture"),
    ("{% increment x %}", 1, "increment"),
    ("{% tablerow i in students %}{% endtablerow %}", 1, "tablerow"),
    ("a\n{{ student | replace: 'a', 'aaaa' }}", 2, "replace"),
    ("a\n{{ student | append: student }}", 2, "append"),
    ("{{ (1..9) | join: ',' }}", 1, "range"),
    ("\n{% for i in (1..1000000000) %}x{% endfor %}", 2, "range"),
    ("{% for i in (1..99999999999999999999999999) %}x{% endfor %}", 1, "range"),
    ("a\n{{ student | truncate: 'x' }}", 2, ""),
)


@pytest.mark.parametrize(("text", "line", "word"), BROKEN)
@pytest.mark.parametrize("way", ["keep", "preview", "send"])
def test_a_broken_text_is_refused_with_its_line(
    dojo: Dojo, text: str, line: int, word: str, way: str
) -> None:
    began = time.perf_counter()
    if way == "keep":
        answer = put(dojo, text)
    elif way == "preview":
        answer = dojo.admin.post(f"{PROMOTION}/preview", {"body": text})
    else:
        answer = dojo.admin.post("/notifications", {"audience": {}, "subject": "x", "body": text})
    (message,) = invalid(answer, "body")["body"]
    assert message.startswith(f"line {line}: ")
    assert word in message
    assert time.perf_counter() - began < 1


HEAVY = {
    "loops in loops": "{% for a in students %}" * 7 + "x" + "{% endfor %}" * 7,
    "too deep": "{% if student %}" * 60 + "x" + "{% endif %}" * 60,
    "a long condition": "{% if " + " and ".join(["student"] * 700) + " %}x{% endif %}",
    "many filters": "{{ student" + " | upcase" * 900 + " }}",
    "many brackets": "{{ student" + "[" * 3000 + " }}",
    "a wide text": "{% for a in students %}{{ student | truncate: 999999999 }}{% endfor %}",
}


@pytest.mark.parametrize("text", HEAVY.values(), ids=HEAVY)
def test_a_heavy_text_costs_little_whether_it_is_taken_or_not(dojo: Dojo, text: str) -> None:
    began = time.perf_counter()
    assert put(dojo, text).status_code in {200, 400}
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize("subject", ["News\nBcc: all@example.com", "News\r\nX: y", "News\u2028x", "News\x00"])
def test_a_subject_of_several_lines_is_refused(dojo: Dojo, subject: str) -> None:
    invalid(put(dojo, "x", subject=subject), "subject")
    body = {"audience": {}, "subject": subject, "body": "x"}
    invalid(dojo.admin.post("/notifications", body), "subject")


def test_a_broken_subject_is_named_as_well_as_a_broken_body(dojo: Dojo) -> None:
    details = invalid(put(dojo, "{{ b }}", subject="{{ a }}"), "subject", "body")
    assert "'a'" in details["subject"][0]


def test_a_text_for_a_deed_is_not_sent_to_an_audience(dojo: Dojo) -> None:
    invalid(dojo.admin.post("/notifications", {"audience": {}, "template": "promotion"}), "template")
    done(dojo.admin.post("/notifications", {"audience": {}, "template": "free"}), 202)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "audience"),
        ({"audience": {}}, "template"),
        ({"audience": {}, "template": "free", "body": "x"}, "template"),
        ({"audience": {}, "subject": "x"}, "body"),
        ({"audience": {}, "template": "free", "channel": "sms"}, "channel"),
        ({"audience": {"students": []}, "template": "free"}, "audience.students"),
        ({"audience": {"colour": "red"}, "template": "free"}, "audience.colour"),
        ({"audience": {"status": "inactive"}, "template": "free"}, "audience.status"),
    ],
)
def test_what_is_asked_for_is_one_thing(dojo: Dojo, body: dict[str, Any], field: str) -> None:
    assert list(invalid(dojo.admin.post("/notifications", body), field)) == [field]
    assert mail.outbox == []
