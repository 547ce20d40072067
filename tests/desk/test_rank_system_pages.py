"""Rank systems and disciplines in a browser: presets, rules as sentences, as a form and as text."""

import gzip
import json
from html import unescape
from typing import Any

import pytest

from tenant_apps.desk.promotions.rank_systems.forms import RulesForm
from tenant_apps.desk.promotions.rank_systems.sentences import Reader, sentence
from tenant_apps.desk.promotions.rank_systems.shown_rules import shown_ranks
from tenant_apps.ranks.criteria import KINDS
from tenant_apps.ranks.presets import presets
from tests.promotions.factories import OUR_GRADES
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import text_of, visitor
from tests.support.responses import ok
from tests.support.statements import count_statements

LIST = "/desk/rank-systems"


def entered(rules: dict[str, Any], **changes: str) -> dict[str, Any]:
    """Return what a browser sends of the form of some rules, with changes by the name of the field."""
    form = RulesForm(rules)
    values = {name: form[name].value() for name in form.fields}
    sent = {name: "" if value is None else value for name, value in values.items()}
    return sent | {name.replace("__", "."): value for name, value in changes.items()}


@pytest.fixture
def system(dojo: Dojo) -> dict[str, Any]:
    return dojo.create("/rank-systems", OUR_GRADES)


def rules_of(dojo: Dojo, system: dict[str, Any], version: str = "") -> dict[str, Any]:
    return dict(ok(dojo.admin.get(f"/rank-systems/{system['id']}/rules{version}")))


# --- presets ----------------------------------------------------------------------------------------------------------


def test_a_system_is_made_from_a_preset_which_says_its_source_and_how_sure_it_is(dojo: Dojo) -> None:
    browser = visitor(dojo, "admin")
    offered = browser.get(f"{LIST}/new")
    assert "Aikikai Hombu grades" in text_of(offered)
    assert "a secondary page reproduces it" in text_of(offered)
    assert len(gzip.compress(offered.content)) < 8_000
    art = factories.discipline(dojo)
    made = browser.post(f"{LIST}/new", {"preset": "aikikai", "discipline": art["id"]})
    said = text_of(browser.get(made["Location"]))
    assert "Aikikai Hombu grades" in said
    assert "5th kyu 五級 without a rank 30 days of training in all." in said
    assert "12 months of waiting time since the rank held." in said
    assert "Version 1" in said


def test_a_preset_that_is_taken_twice_or_unknown_is_refused(dojo: Dojo) -> None:
    factories.rank_system(dojo)
    browser = visitor(dojo, "admin")
    twice = browser.post(f"{LIST}/new", {"preset": "aikikai"})
    assert (twice.status_code, "This name is already in use." in text_of(twice)) == (409, True)
    unknown = browser.post(f"{LIST}/new", {"preset": "nonsense"})
    assert (unknown.status_code, "There is no such preset." in text_of(unknown)) == (400, True)


# --- sentences --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"kind": "time_in_rank", "months": 1}, "1 month of waiting time since the rank held."),
        (
            {"kind": "time_in_rank", "months": 18, "applies_if": {"kind": "age", "max": 17}},
            "18 months of waiting time since the rank held. Only if: At most 17 years old.",
        ),
        (
            {"kind": "attendance_count", "n": 20, "unit": "session", "max_per_day": 1},
            "20 classes since the rank held. At most 1 a day counts.",
        ),
        (
            {"kind": "attendance_rate", "percent": 60, "window_months": 12},
            "60% of the classes offered in the last 12 months. Classes in which the student is enrolled count.",
        ),
        (
            {"kind": "age", "min": 4, "max": 15, "basis": "birth_year"},
            "4 to 15 years old. The age reached in the calendar year counts.",
        ),
        (
            {"kind": "rank_held_before", "ranks": ["a", "b"], "min_months": 6},
            "Holds or has held Rank a or Rank b. It was held for 6 months without a break.",
        ),
        ({"kind": "points", "n": 6, "category": "kata"}, "6 points in kata since the rank held."),
        (
            {"kind": "achievement", "which": "world champion", "at_rank": "a"},
            "Achieved as Rank a: World champion.",
        ),
        ({"kind": "skills", "which": ["ukemi", "kata"]}, "Skills shown: Ukemi, Kata."),
        ({"kind": "document", "which": "essay"}, "Handed in since the rank held: Essay."),
        (
            {"kind": "approval", "which": "test", "by": "instructor"},
            "Approved by 1 person: Test. An instructor or the head of the dojo approves.",
        ),
        (
            {"kind": "credential", "which": "first aid", "max_age_months": 24},
            "A valid certificate: First aid. It is at most 24 months old.",
        ),
        ({"kind": "event_count", "event": "seminar", "n": 2}, "Seminar: 2 since the rank held."),
        ({"kind": "standing"}, "Is an active student, and not on hold."),
        ({"kind": "sub_ranks", "n": 2}, "2 stripes on the rank held."),
        ({"kind": "retest_gap", "months": 3}, "3 months of waiting time after a failed test."),
        ({"kind": "total_training_time", "months": 36}, "36 months of training in all."),
        (
            {"kind": "at_most", "n": 2, "of": "exam", "calendar_year": True},
            "At most 2 exams in the calendar year, with this one.",
        ),
    ],
)
def test_a_criterion_is_a_sentence(document: dict[str, Any], said: str) -> None:
    criterion = KINDS[document["kind"]].from_document(document)
    assert sentence(criterion, Reader(lambda code: f"Rank {code}", has_rank=True)) == said


def test_every_criterion_of_every_preset_has_a_sentence() -> None:
    kinds = set()
    for definition in presets().values():
        kinds |= {one.kind for step in definition.steps for path in step.paths for one in path.criteria}
        sentences = [
            text
            for rank in shown_ranks(definition.as_document())
            for step in rank.steps
            for _, texts in step.paths
            for text in texts
        ]
        assert all(text.endswith(".") and "{" not in text for text in sentences), definition.name
    assert len(kinds) > 5


def test_the_first_step_counts_from_joining() -> None:
    waiting = KINDS["time_in_rank"].from_document({"months": 3})
    assert sentence(waiting, Reader(str, has_rank=False)) == "3 months of waiting time since joining."


# --- the form ---------------------------------------------------------------------------------------------------------


def test_numbers_names_and_colours_are_changed_in_a_form(dojo: Dojo, system: dict[str, Any]) -> None:
    browser = visitor(dojo, "admin")
    values = entered(
        rules_of(dojo, system),
        steps__1__paths__0__criteria__0__months="5",
        ranks__1__name="Gold",
        ranks__1__bands="2",
        ranks__1__colours__1="#ffcc00",
        ranks__2__holding_ages__min="9",
        effective_on="2026-09-01",
    )
    saved = browser.post(f"{LIST}/{system['id']}/change", values)
    assert saved["Location"] == f"{LIST}/{system['id']}"
    rules = rules_of(dojo, system)
    assert rules["version"] == 2
    assert rules["steps"][1]["paths"][0]["criteria"] == [{"kind": "time_in_rank", "months": 5}]
    assert (rules["ranks"][1]["name"], rules["ranks"][1]["colours"]) == ("Gold", ["#ffffff", "#ffcc00"])
    assert rules["ranks"][2]["holding_ages"] == {"min": 9}
    assert rules["steps"][2:] == OUR_GRADES["steps"][2:]
    said = text_of(browser.get(saved["Location"]))
    assert "Version 2 is saved." in said
    assert "These rules are in force from 1 September 2026." in said
    older = text_of(browser.get(f"{saved['Location']}?version=1"))
    assert "This is version 1, not the latest." in older
    assert "3 months of waiting time since the rank held." in older


def test_a_form_that_changes_nothing_makes_no_version_of_any_preset(dojo: Dojo) -> None:
    browser = visitor(dojo, "admin")
    for key in ("aikikai", "ibjjf-adult", "ibjjf-kids-quarterly", "usja-senior", "dkv-germany"):
        made = factories.rank_system(dojo, key)
        page = browser.get(f"{LIST}/{made['id']}/change")
        assert len(gzip.compress(page.content)) < 15_000, key
        assert browser.post(f"{LIST}/{made['id']}/change", entered(rules_of(dojo, made))).status_code == 302
        assert rules_of(dojo, made)["version"] == 1, key


def test_a_fault_stands_at_its_field_and_nothing_is_saved(dojo: Dojo, system: dict[str, Any]) -> None:
    place = "steps.1.paths.0.criteria.0.months"
    values = entered(rules_of(dojo, system), **{place: "5000"}, ranks__0__holding_ages__min="9")
    values["ranks.0.holding_ages.max"] = "4"
    refused = visitor(dojo, "admin").post(f"{LIST}/{system['id']}/change", values)
    assert refused.status_code == 400
    body = refused.content.decode()
    assert f'id="id_{place}_error"' in body
    assert 'id="id_ranks.0.holding_ages.max_error"' in body
    assert 'value="5000"' in body
    assert rules_of(dojo, system)["version"] == 1


def test_rules_that_somebody_else_changed_meanwhile_are_not_overwritten(
    dojo: Dojo, system: dict[str, Any]
) -> None:
    read = rules_of(dojo, system)
    ok(dojo.admin.put(f"/rank-systems/{system['id']}/rules", {**read, "note": "Newer"}))
    refused = visitor(dojo, "admin").post(
        f"{LIST}/{system['id']}/change", entered(read, ranks__0__name="Mine")
    )
    assert refused.status_code == 409
    assert "These rules have changed since you read them" in text_of(refused)
    assert rules_of(dojo, system)["note"] == "Newer"


def test_the_line_breaks_of_a_browser_change_nothing(dojo: Dojo, system: dict[str, Any]) -> None:
    path = f"/rank-systems/{system['id']}/rules"
    rules = ok(dojo.admin.put(path, {**rules_of(dojo, system), "note": "Tests:\nMarch"}))
    sent = entered(rules) | {"note": "Tests:\r\nMarch"}
    assert visitor(dojo, "admin").post(f"{LIST}/{system['id']}/change", sent).status_code == 302
    assert rules_of(dojo, system)["version"] == rules["version"]


def test_numbers_that_cannot_be_sent_are_said(dojo: Dojo, system: dict[str, Any]) -> None:
    browser = visitor(dojo, "admin")
    for number in ("9" * 30, "-" + "9" * 30, "many"):
        values = entered(rules_of(dojo, system), steps__1__paths__0__criteria__0__months=number)
        assert browser.post(f"{LIST}/{system['id']}/change", values).status_code == 400
    huge = json.dumps({**OUR_GRADES, "format": 10**30})
    assert browser.post(f"{LIST}/new/text", {"text": huge}).status_code == 400


def test_rules_that_are_too_long_for_a_form_are_changed_as_text(dojo: Dojo) -> None:
    ranks = [{"code": f"r{number}", "name": f"Rank {number}"} for number in range(150)]
    made = dojo.create("/rank-systems", {**OUR_GRADES, "name": "Long", "ranks": ranks, "steps": []})
    browser = visitor(dojo, "admin")
    assert browser.get(f"{LIST}/{made['id']}/change")["Location"] == f"{LIST}/{made['id']}/text"


# --- the text ---------------------------------------------------------------------------------------------------------


def test_rules_are_changed_as_text(dojo: Dojo, system: dict[str, Any]) -> None:
    browser = visitor(dojo, "admin")
    text = unescape(browser.get(f"{LIST}/{system['id']}/text").content.decode())
    assert (
        text.index('"format": 1')
        < text.index('"name": "Our grades"')
        < text.index('"ranks"')
        < text.index('"steps"')
    )
    document = rules_of(dojo, system)
    version = document.pop("version")
    document["note"] = "Tests are in March."
    browser.post(f"{LIST}/{system['id']}/text", {"text": json.dumps(document), "version": version})
    assert "Tests are in March." in text_of(browser.get(f"{LIST}/{system['id']}"))


def test_a_fault_in_the_text_is_named_with_its_place_and_what_was_written_is_kept(
    dojo: Dojo, system: dict[str, Any]
) -> None:
    document = rules_of(dojo, system)
    version = document.pop("version")
    document["steps"][1]["paths"][0]["criteria"][0]["months"] = "three"
    sent = {"text": json.dumps(document), "version": version}
    refused = visitor(dojo, "admin").post(f"{LIST}/{system['id']}/text", sent)
    assert refused.status_code == 400
    said = text_of(refused)
    assert (
        "steps.1.paths.0.criteria.0.months step from white to yellow, path wait, criterion time_in_rank"
        in said
    )
    assert "three" in refused.content.decode()
    assert rules_of(dojo, system)["version"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format": 1,\n  "name" }', "This is not JSON. See line 2, column 10."),
        ("[1]", "A document begins and ends with a curly bracket."),
        ("[" * 100_000, "This is not JSON."),
        ('{"a":' * 500 + "1" + "}" * 500, "This is nested too deeply."),
        ("", "This field is required."),
    ],
)
def test_what_is_no_document_is_said_with_line_and_column(
    dojo: Dojo, system: dict[str, Any], text: str, message: str
) -> None:
    browser = visitor(dojo, "admin")
    for page in (f"{LIST}/{system['id']}/text", f"{LIST}/new/text"):
        refused = browser.post(page, {"text": text, "version": "1"})
        assert refused.status_code == 400
        assert message in text_of(refused)


def test_a_dojo_writes_its_own_system(dojo: Dojo) -> None:
    browser = visitor(dojo, "admin")
    assert "Yellow belt" in browser.get(f"{LIST}/new/text").content.decode()
    made = browser.post(f"{LIST}/new/text", {"text": json.dumps(OUR_GRADES)})
    assert "3 months of waiting time since the rank held." in text_of(browser.get(made["Location"]))


# --- names, archive, disciplines --------------------------------------------------------------------------------------


def test_a_system_is_renamed_archived_and_restored(dojo: Dojo, system: dict[str, Any]) -> None:
    browser = visitor(dojo, "admin")
    page = f"{LIST}/{system['id']}"
    browser.post(page, {"name": "Grades of the house", "discipline": ""})
    assert "Grades of the house" in text_of(browser.get(LIST))
    assert "Archive Grades of the house?" in text_of(browser.get(f"{page}/archive"))
    browser.post(f"{page}/archive")
    assert "Archived Grades of the house Restore" in text_of(browser.get(LIST))
    browser.post(f"{page}/archive", {"restore": "yes"})
    assert "Archived" not in text_of(browser.get(LIST))


def test_a_name_that_is_taken_is_said(dojo: Dojo, system: dict[str, Any]) -> None:
    factories.rank_system(dojo)
    refused = visitor(dojo, "admin").post(f"{LIST}/{system['id']}", {"name": "Aikikai Hombu grades"})
    assert refused.status_code == 409
    assert "This name is already in use." in text_of(refused)


def test_disciplines_are_added_renamed_archived_and_restored(dojo: Dojo) -> None:
    browser = visitor(dojo, "admin")
    assert "There is no discipline yet" in text_of(browser.get("/desk/disciplines"))
    browser.post("/desk/disciplines", {"name": "Aikido"})
    (found,) = ok(dojo.admin.get("/disciplines"))["results"]
    page = f"/desk/disciplines/{found['id']}"
    twice = browser.post("/desk/disciplines", {"name": "Aikido"})
    assert (twice.status_code, "This name is already in use." in text_of(twice)) == (409, True)
    assert browser.post("/desk/disciplines", {"name": ""}).status_code == 400
    browser.post(page, {"name": "Iaido"})
    assert "Iaido" in text_of(browser.get("/desk/disciplines"))
    browser.post(page, {"action": "archive"})
    assert "Archived Iaido Restore" in text_of(browser.get("/desk/disciplines"))
    browser.post(page, {"action": "restore"})
    assert "Iaido Change" in text_of(browser.get("/desk/disciplines"))


# --- roles, dojos, statements -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["instructor", "assistant"])
def test_staff_read_the_rules_and_only_admins_change_them(
    dojo: Dojo, system: dict[str, Any], role: str
) -> None:
    browser = visitor(dojo, role)
    page = f"{LIST}/{system['id']}"
    body = browser.get(page).content.decode()
    assert "3 months of waiting time" in body
    assert "/change" not in body
    assert "/new" not in browser.get(LIST).content.decode()
    for path in (f"{LIST}/new", f"{LIST}/new/text", f"{page}/change", f"{page}/text", f"{page}/archive"):
        assert browser.get(path).status_code == 403
    for path in (page, f"{page}/archive", f"{page}/change", "/desk/disciplines"):
        assert browser.post(path, {"name": "Mine"}).status_code == 403


def test_a_system_of_another_dojo_is_not_found(dojo: Dojo, other_dojo: Dojo, system: dict[str, Any]) -> None:
    browser = visitor(other_dojo, "admin")
    for page in ("", "/change", "/text", "/archive"):
        assert browser.get(f"{LIST}/{system['id']}{page}").status_code == 404
        assert browser.post(f"{LIST}/{system['id']}{page}", {"name": "Mine", "text": "{}"}).status_code == 404
    art = factories.discipline(dojo)
    assert browser.get(f"/desk/disciplines/{art['id']}").status_code == 404


def test_the_statements_of_the_lists_do_not_grow(dojo: Dojo, system: dict[str, Any]) -> None:
    browser = visitor(dojo, "admin")
    art = factories.discipline(dojo)
    before = count_statements(lambda: browser.get(LIST))
    page = count_statements(lambda: browser.get(f"{LIST}/{system['id']}"))
    factories.rank_system(dojo, "ibjjf-adult", discipline=art["id"])
    ok(dojo.admin.put(f"/rank-systems/{system['id']}/rules", {**OUR_GRADES, "note": "Newer"}))
    assert count_statements(lambda: browser.get(LIST)) == before <= 6
    assert count_statements(lambda: browser.get(f"{LIST}/{system['id']}")) == page <= 9
