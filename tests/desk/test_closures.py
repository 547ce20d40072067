"""Closures: days on which the dojo, or some classes, are closed."""

from typing import Any

import pytest

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import text_of, visitor
from tests.support.statements import count_statements

STATEMENTS = 4
HOLIDAYS = {"starts_on": "2026-06-20", "until": "2026-07-04", "reason": "Summer holidays"}


@pytest.fixture
def evening_class(dojo: Dojo) -> dict[str, Any]:
    return factories.training_class(dojo)


def closures(dojo: Dojo) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dojo.admin.get("/closures").json()["results"]
    return found


def test_a_range_of_days_is_closed_after_its_sessions_were_seen(
    dojo: Dojo, evening_class: dict[str, Any]
) -> None:
    browser = visitor(dojo, "instructor")
    preview = browser.fragment("/desk/schedule/closures/new?starts_on=2026-06-20&until=2026-07-04")
    assert "2 sessions will be cancelled." in text_of(preview)
    assert "Monday, 22 June, 18:30: Evening class" in text_of(preview)
    assert "The students who are expected get an e-mail." in text_of(preview)
    assert closures(dojo) == []

    sent = browser.post("/desk/schedule/closures/new", HOLIDAYS)
    assert "Closed. 2 sessions are cancelled." in text_of(browser.get(sent["Location"]))
    (closed,) = closures(dojo)
    assert (closed["from"], closed["until"], closed["reason"]) == (
        "2026-06-20",
        "2026-07-04",
        "Summer holidays",
    )
    assert "the whole dojo" in text_of(browser.get("/desk/schedule/closures"))


def test_the_form_says_that_no_e_mail_is_sent_if_these_mails_are_off(
    dojo: Dojo, evening_class: dict[str, Any]
) -> None:
    assert dojo.admin.patch("/settings", {"notify_class_cancelled": False}).status_code == 200
    preview = visitor(dojo, "instructor").fragment("/desk/schedule/closures/new?starts_on=2026-06-22")
    assert "No e-mail is sent." in text_of(preview)


def test_one_day_needs_one_date(dojo: Dojo) -> None:
    visitor(dojo, "instructor").post("/desk/schedule/closures/new", {"starts_on": "2026-06-20", "until": ""})
    assert [(one["from"], one["until"]) for one in closures(dojo)] == [("2026-06-20", "2026-06-20")]


def test_some_classes_are_closed_alone(dojo: Dojo, evening_class: dict[str, Any]) -> None:
    factories.training_class(dojo, name="Seniors")
    browser, chosen = visitor(dojo, "instructor"), evening_class["id"]
    preview = browser.fragment(f"/desk/schedule/closures/new?starts_on=2026-06-22&classes={chosen}")
    assert "1 session will be cancelled." in text_of(preview)
    assert "Seniors" not in text_of(preview)
    browser.post("/desk/schedule/closures/new", {"starts_on": "2026-06-22", "until": "", "classes": [chosen]})
    (closed,) = closures(dojo)
    assert ([one["name"] for one in closed["classes"]], closed["sessions"]) == (["Evening class"], 1)


def test_all_sessions_of_the_chosen_classes_are_counted_however_many_there_are(dojo: Dojo) -> None:
    daily = {**factories.SCHEDULE, "weekdays": ["mo", "tu", "we", "th", "fr", "sa", "su"]}
    for name in ("Early", "Noon"):
        factories.training_class(dojo, name=name, recurrence=daily)
    chosen = factories.training_class(dojo, name="Late", recurrence={**daily, "start_time": "21:00"})
    days = "starts_on=2026-06-20&until=2026-10-17"  # 120 days
    browser = visitor(dojo, "instructor")
    path = f"/desk/schedule/closures/new?{days}&classes={chosen['id']}"
    preview = text_of(browser.fragment(path))
    assert "120 sessions will be cancelled." in preview
    assert "and 115 more" in preview
    assert "Saturday, 20 June, 21:00: Late" in preview
    assert "Early" not in preview
    assert "360 sessions will be cancelled." in text_of(
        browser.fragment(f"/desk/schedule/closures/new?{days}")
    )
    values = {"starts_on": "2026-06-20", "until": "2026-10-17", "reason": "", "classes": [chosen["id"]]}
    sent = browser.post("/desk/schedule/closures/new", values)
    assert "Closed. 120 sessions are cancelled." in text_of(browser.get(sent["Location"]))


def test_a_range_that_ends_before_it_begins_is_refused_beside_its_field(dojo: Dojo) -> None:
    refused = visitor(dojo, "instructor").post(
        "/desk/schedule/closures/new", {**HOLIDAYS, "until": "2026-06-01"}
    )
    assert refused.status_code == 400
    assert 'id="id_until_error"' in refused.content.decode()
    assert "Summer holidays" in refused.content.decode()
    assert closures(dojo) == []


def test_a_preview_of_nothing_is_empty(dojo: Dojo) -> None:
    browser = visitor(dojo, "instructor")
    for query in ("", "?starts_on=", "?starts_on=soon"):
        preview = browser.fragment(f"/desk/schedule/closures/new{query}")
        assert (preview.status_code, text_of(preview)) == (200, "")


def test_a_preview_too_far_ahead_says_so(dojo: Dojo) -> None:
    preview = visitor(dojo, "instructor").fragment("/desk/schedule/closures/new?starts_on=2031-06-20")
    assert "notice warning" in preview.content.decode()


def test_reopening_asks_first(dojo: Dojo, evening_class: dict[str, Any]) -> None:
    browser = visitor(dojo, "instructor")
    browser.post("/desk/schedule/closures/new", HOLIDAYS)
    (closed,) = closures(dojo)
    path = f"/desk/schedule/closures/{closed['id']}/reopen"
    assert "2 sessions take place again" in text_of(browser.fragment(path))
    assert len(closures(dojo)) == 1
    browser.post(path)
    assert closures(dojo) == []
    statuses = [
        one["status"] for one in factories.list_sessions(dojo, **{"from": "2026-06-20", "to": "2026-07-04"})
    ]
    assert statuses == ["scheduled", "scheduled"]


def test_assistants_close_and_reopen_nothing(dojo: Dojo, other_dojo: Dojo) -> None:
    closed = dojo.create("/closures", {"from": "2026-06-20", "until": "2026-06-21"})
    path = f"/desk/schedule/closures/{closed['id']}/reopen"
    browser = visitor(dojo, "assistant")
    shown = text_of(browser.get("/desk/schedule/closures"))
    assert "20 June 2026 – 21 June 2026" in shown
    assert "Reopen" not in shown
    assert browser.post(path).status_code == 403
    assert browser.post("/desk/schedule/closures/new", HOLIDAYS).status_code == 403
    assert visitor(other_dojo, "admin").post(path).status_code == 404
    assert len(closures(dojo)) == 1


def test_the_statements_do_not_grow_with_the_closures(dojo: Dojo) -> None:
    browser = visitor(dojo, "admin")
    dojo.create("/closures", {"from": "2026-06-20", "until": "2026-06-21"})
    one = count_statements(lambda: browser.get("/desk/schedule/closures"))
    for day in range(1, 6):
        dojo.create("/closures", {"from": f"2026-08-0{day}", "until": f"2026-08-0{day}"})
    assert one == count_statements(lambda: browser.get("/desk/schedule/closures")) == STATEMENTS
