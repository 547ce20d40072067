"""A dojo's own templates: what they may contain, and what is refused when they are saved, with the line."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core import mail

from tatami.tenancy.scope import tenant_scope
from tenant_apps.notifications.models import Notification, NotificationKind, NotificationTemplate
from tenant_apps.notifications.templates import default_text, validate_text
from tests.notifications.mail_factories import CHILD_BIRTH_DATE, guardian, send_all, student
from tests.support.clients import Dojo
from tests.support.responses import assert_error, assert_invalid, ok

PROMOTION = "/notification-templates/promotion"


def put(dojo: Dojo, body: str, subject: str = "Well done, {{ student }}", name: str = "promotion") -> Any:
    return dojo.instructor.put(f"/notification-templates/{name}", {"subject": subject, "body": body})


def test_the_default_text_is_used_until_the_dojo_saves_its_own(dojo: Dojo, other_dojo: Dojo) -> None:
    before = ok(dojo.admin.get(PROMOTION))
    assert (before["is_default"], before["language"]) == (True, "en")
    assert {"dojo", "recipient", "student", "students", "rank", "awarded_on"} <= set(before["variables"])
    kept = ok(put(dojo, "{{ rank }}!"))
    assert kept == ok(dojo.admin.get(PROMOTION))
    assert (kept["is_default"], kept["body"]) == (False, "{{ rank }}!")
    assert ok(other_dojo.admin.get(PROMOTION)) == before
    assert ok(dojo.admin.get(f"{PROMOTION}?language=pt-br"))["is_default"]


def test_saving_the_default_text_restores_the_default(dojo: Dojo) -> None:
    before = ok(dojo.admin.get(PROMOTION))
    put(dojo, "{{ rank }}!")
    assert ok(put(dojo, before["body"], before["subject"])) == before
    with tenant_scope(dojo.tenant):
        assert not NotificationTemplate.objects.exists()


def test_the_list_shows_every_kind_in_the_dojos_language(dojo: Dojo) -> None:
    ok(dojo.admin.patch("/settings", {"language": "pt-br"}))
    rows = ok(dojo.admin.get("/notification-templates"))
    assert [row["name"] for row in rows] == list(NotificationKind.values)
    assert {row["language"] for row in rows} == {"pt-br"}


@pytest.mark.parametrize("language", ["en", "pt-br"])
@pytest.mark.parametrize("kind", list(NotificationKind))
def test_the_default_texts_are_valid(dojo: Dojo, kind: NotificationKind, language: str) -> None:
    with tenant_scope(dojo.tenant):
        validate_text(kind, default_text(kind, language), language)


def test_a_preview_names_the_real_recipient_and_saves_nothing(dojo: Dojo) -> None:
    hana = guardian("Hana Sato", "hana@example.com")
    mika = student(dojo, "Mika", born=CHILD_BIRTH_DATE, guardians=[hana])
    asked = {"subject": "{{ student }}: {{ rank }}", "body": "Dear {{ recipient }}", "student": mika["id"]}
    assert ok(dojo.instructor.post(f"{PROMOTION}/preview", asked)) == {
        "subject": "Mika Sato: 4th kyu",
        "body": "Dear Hana Sato\n",
        "language": "en",
    }
    with tenant_scope(dojo.tenant):
        assert not Notification.objects.exists()
    assert send_all(dojo) == []


def test_a_test_mail_goes_to_the_caller_only(dojo: Dojo) -> None:
    put(dojo, "{{ rank }}!", subject="Trial")
    made = ok(dojo.instructor.post(f"{PROMOTION}/test", {"email": "INSTRUCTOR@example.com"}), 202)
    assert (made["test"], made["total"]) == (True, 1)
    (sent,) = send_all(dojo)
    assert (sent.to, sent.subject, sent.body) == (["instructor@example.com"], "Trial", "4th kyu!\n")
    assert_invalid(dojo.instructor.post(f"{PROMOTION}/test", {"email": "hana@example.com"}), "email")


def test_a_test_of_a_notification_does_not_reach_its_audience(dojo: Dojo) -> None:
    student(dojo, "Mika", email="mika@example.com")
    body = {"audience": {}, "subject": "News", "body": "For {{ student }}", "test": True}
    ok(dojo.admin.post("/notifications", body), 202)
    assert [sent.to for sent in send_all(dojo)] == [["admin@example.com"]]


@pytest.mark.parametrize("name", ["birthday", "promotion.txt", "..%2Fpromotion"])
def test_an_unknown_template_name_is_not_found(dojo: Dojo, name: str) -> None:
    assert_error(dojo.admin.get(f"/notification-templates/{name}"), 404, "not_found")
    assert_error(put(dojo, "x", name=name), 404, "not_found")


FORBIDDEN_PATHS = (
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


@pytest.mark.parametrize("path", FORBIDDEN_PATHS)
def test_a_variable_gives_no_access_to_anything_else(dojo: Dojo, path: str) -> None:
    details = assert_invalid(put(dojo, f"Dear {{{{ recipient }}}},\n\n{{{{ {path} }}}}"), "body")
    assert details["body"][0].startswith("line 3: ")


def test_a_loop_variable_may_be_called_student(dojo: Dojo) -> None:
    text = "{{ student }}{% for student in students %}\n{{ student.name }}: {{ student.rank }}{% endfor %}"
    ok(put(dojo, text))
    shown = ok(dojo.admin.post(f"{PROMOTION}/preview", {}))
    assert shown["body"] == "Mika Sato\nMika Sato: 4th kyu\n"


def test_a_loop_over_students_can_use_their_fields_only(dojo: Dojo) -> None:
    ok(put(dojo, "{% for one in students %}{{ one.name }}: {{ one.rank }}{% endfor %}"))
    for wrong in ("one.id", "one.certificate", "one.__class__", "one.name.size", "forloop.parentloop.name"):
        assert_invalid(put(dojo, f"{{% for one in students %}}{{{{ {wrong} }}}}{{% endfor %}}"), "body")


INVALID = (
    ("{{ unknown }}", 1, "unknown"),
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


def submit(dojo: Dojo, text: str, way: str) -> Any:
    """Send a text to one of the routes that validate it."""
    match way:
        case "save":
            return put(dojo, text)
        case "preview":
            return dojo.admin.post(f"{PROMOTION}/preview", {"body": text})
    return dojo.admin.post("/notifications", {"audience": {}, "subject": "x", "body": text})


@contextmanager
def at_most_cpu_seconds(limit: float) -> Iterator[None]:
    """Assert that this thread uses little CPU time. Unlike wall time, it does not depend on other processes."""
    began = time.thread_time()
    yield
    assert time.thread_time() - began < limit


@pytest.mark.parametrize(("text", "line", "word"), INVALID)
@pytest.mark.parametrize("way", ["save", "preview", "send"])
def test_an_invalid_template_is_refused_with_its_line(
    dojo: Dojo, text: str, line: int, word: str, way: str
) -> None:
    with at_most_cpu_seconds(1):
        answer = submit(dojo, text, way)
    (message,) = assert_invalid(answer, "body")["body"]
    assert message.startswith(f"line {line}: ")
    assert word in message


EXPENSIVE = {
    "loops in loops": "{% for a in students %}" * 7 + "x" + "{% endfor %}" * 7,
    "too deep": "{% if student %}" * 60 + "x" + "{% endif %}" * 60,
    "a long condition": "{% if " + " and ".join(["student"] * 700) + " %}x{% endif %}",
    "many filters": "{{ student" + " | upcase" * 900 + " }}",
    "many brackets": "{{ student" + "[" * 3000 + " }}",
    "a wide text": "{% for a in students %}{{ student | truncate: 999999999 }}{% endfor %}",
}


@pytest.mark.parametrize("text", EXPENSIVE.values(), ids=EXPENSIVE)
def test_an_expensive_template_is_cheap_to_check(dojo: Dojo, text: str) -> None:
    with at_most_cpu_seconds(2):
        assert put(dojo, text).status_code in {200, 400}


@pytest.mark.parametrize("subject", ["News\nBcc: all@example.com", "News\r\nX: y", "News\u2028x", "News\x00"])
def test_a_subject_with_several_lines_is_refused(dojo: Dojo, subject: str) -> None:
    assert_invalid(put(dojo, "x", subject=subject), "subject")
    body = {"audience": {}, "subject": subject, "body": "x"}
    assert_invalid(dojo.admin.post("/notifications", body), "subject")


def test_errors_of_subject_and_body_are_reported_together(dojo: Dojo) -> None:
    details = assert_invalid(put(dojo, "{{ b }}", subject="{{ a }}"), "subject", "body")
    assert "'a'" in details["subject"][0]


def test_a_template_for_an_event_cannot_be_sent_to_an_audience(dojo: Dojo) -> None:
    assert_invalid(dojo.admin.post("/notifications", {"audience": {}, "template": "promotion"}), "template")
    ok(dojo.admin.post("/notifications", {"audience": {}, "template": "free"}), 202)


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
def test_an_invalid_notification_is_refused(dojo: Dojo, body: dict[str, Any], field: str) -> None:
    assert list(assert_invalid(dojo.admin.post("/notifications", body), field)) == [field]
    assert mail.outbox == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{{ nope }}", "linha 1: não existe a variável 'nope'"),
        ("Hi\n{{ dojo | shout }}", "linha 2: não existe o filtro 'shout'"),
        ("{{ dojo", "linha 1: era esperado '}}', mas há o fim do texto"),
        ("{% foo %}", "linha 1: a marca 'foo' não é esperada aqui"),
        ("{% for one in (1..3) %}x{% endfor %}", "linha 1: intervalos não estão disponíveis"),
    ],
)
def test_faults_are_in_the_language_of_the_dojo(dojo: Dojo, body: str, message: str) -> None:
    ok(dojo.admin.patch("/settings", {"language": "pt-br"}))
    details = assert_error(put(dojo, body), 400, "validation_error")
    assert details == {"body": [message]}


def test_the_preview_has_example_values_in_the_language_of_the_template(dojo: Dojo) -> None:
    path = f"{PROMOTION}/preview"
    body = {"subject": "-", "body": "{{ rank }}, {{ awarded_on }}"}
    for language, shown in (("en", "4th kyu, 15 June 2026"), ("pt-br", "4º kyu, 15 de junho de 2026")):
        assert ok(dojo.admin.post(path, {**body, "language": language}))["body"].strip() == shown
