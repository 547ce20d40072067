"""Batches in a browser: starting one, its progress and results, cancelling and reverting."""

import pytest

from tests.promotions.factories import GradedDojo
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import text_of, visitor
from tests.support.statements import count_statements

LIST = "/desk/promotions/batches"


@pytest.fixture
def graded(dojo: Dojo) -> GradedDojo:
    return GradedDojo(dojo)


def test_a_batch_is_started_for_a_filter_and_shows_its_results(graded: GradedDojo) -> None:
    browser = visitor(graded.dojo, "instructor")
    started = browser.post(f"{LIST}/new", {"award": "true", "rank_system": graded.system["id"]})
    assert started.status_code == 302
    page = started["Location"]
    said = text_of(browser.get(page))
    assert "0 of 2 students are processed." in said
    assert "waiting" in said
    graded.process_batches()
    said = text_of(browser.get(page))
    assert "2 of 2 students are processed." in said
    assert "Ready Sato Yellow awarded" in said
    assert "2 of 3 months of waiting time" in said
    only = text_of(browser.get(f"{page}?state=awarded"))
    assert "Ready Sato" in only
    assert "Early Sato" not in only
    assert "As of 15 June 2026" in said
    assert "Award · 15 June 2026" in text_of(browser.get(LIST))


def test_a_batch_is_started_for_the_chosen_students_and_their_ranks(graded: GradedDojo) -> None:
    browser = visitor(graded.dojo, "instructor")
    pick = f"{graded.ready['id']}:{graded.rank('yellow')}"
    assert "Ready Sato" in text_of(browser.get(f"{LIST}/new?pick={pick}"))
    page = browser.post(f"{LIST}/new", {"award": "true", "pick": pick})["Location"]
    graded.process_batches()
    assert "1 of 1 students are processed." in text_of(browser.get(page))
    assert (graded.rank_held(graded.ready), graded.rank_held(graded.early)) == ("yellow", "white")


def test_a_check_changes_nothing(graded: GradedDojo) -> None:
    page = visitor(graded.dojo, "admin").post(f"{LIST}/new", {"award": "false", "as_of": "2026-12-01"})[
        "Location"
    ]
    graded.process_batches()
    said = text_of(visitor(graded.dojo, "admin").get(page))
    assert "Yellow: rules are met" in said
    assert "Revert" not in said
    assert graded.rank_held(graded.ready) == "white"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"award": "true", "as_of": "2026-12-01"}, "A rank cannot be awarded before its day has come."),
        ({"award": "perhaps"}, "perhaps is not one of the available choices."),
        ({"award": "true", "as_of": "soon"}, "Enter a valid date."),
    ],
)
def test_a_batch_that_is_refused_says_why_and_starts_nothing(
    graded: GradedDojo, values: dict[str, str], message: str
) -> None:
    browser = visitor(graded.dojo, "admin")
    refused = browser.post(f"{LIST}/new", values)
    assert refused.status_code == 400
    assert message in text_of(refused)
    assert "No batch yet" in text_of(browser.get(LIST))


def test_the_progress_is_sent_only_when_it_has_changed_and_the_end_loads_the_page(graded: GradedDojo) -> None:
    batch = graded.create_batch(graded.ready)
    browser = visitor(graded.dojo, "instructor")
    progress = f"{LIST}/{batch['id']}/progress"
    assert f'{progress}?seen=queued-0"' in browser.get(f"{LIST}/{batch['id']}").content.decode()
    assert browser.fragment(f"{progress}?seen=queued-0").status_code == 204
    assert "0 of 1 students" in text_of(browser.fragment(f"{progress}?seen="))
    graded.process_batches()
    assert browser.fragment(f"{progress}?seen=queued-0")["HX-Redirect"] == f"{LIST}/{batch['id']}"
    assert (
        "hx-get"
        not in browser.get(f"{LIST}/{batch['id']}").content.decode().partition('id="progress"')[2][:80]
    )


def test_a_batch_is_cancelled_after_a_question(graded: GradedDojo) -> None:
    batch = graded.create_batch(graded.ready)
    browser = visitor(graded.dojo, "instructor")
    page = f"{LIST}/{batch['id']}"
    dialog = browser.fragment(f"{page}/cancel")
    assert "Cancel the batch?" in text_of(dialog)
    assert "<html" not in dialog.content.decode()
    browser.post(f"{page}/cancel")
    assert "The batch is cancelled." in text_of(browser.get(page))
    graded.process_batches()
    assert graded.rank_held(graded.ready) == "white"


def test_a_batch_is_reverted_with_a_reason_and_only_then(graded: GradedDojo) -> None:
    batch = graded.create_batch(graded.ready)
    graded.process_batches()
    browser = visitor(graded.dojo, "instructor")
    page = f"{LIST}/{batch['id']}"
    assert browser.post(f"{page}/revert", {"reason": ""}).status_code == 400
    assert graded.rank_held(graded.ready) == "yellow"
    browser.post(f"{page}/revert", {"reason": "Wrong list"})
    assert "Wrong list" in text_of(browser.get(page))
    assert graded.rank_held(graded.ready) == "white"


def test_later_ranks_that_stand_on_a_batch_are_named_before_it_is_reverted(graded: GradedDojo) -> None:
    batch = graded.create_batch(graded.ready)
    graded.process_batches()
    body = {"student": graded.ready["id"], "target_rank": graded.rank("green"), "override_reason": "Exam"}
    graded.dojo.create("/promotions", body)
    browser = visitor(graded.dojo, "instructor")
    page = f"{LIST}/{batch['id']}/revert"
    refused = browser.post(page, {"reason": "Wrong list"})
    assert refused.status_code == 409
    assert "These later ranks stand on them: Ready Sato Green, 15 June 2026" in text_of(refused)
    assert "Choose what happens to the later ranks." in text_of(refused)
    assert "`cascade`" not in text_of(refused)
    assert browser.post(page, {"reason": "Wrong list", "later": "cascade"}).status_code == 302
    assert graded.rank_held(graded.ready) == "white"


def test_assistants_do_not_see_batches(graded: GradedDojo) -> None:
    batch = graded.create_batch(graded.ready)
    browser = visitor(graded.dojo, "assistant")
    assert LIST not in browser.get("/desk/promotions").content.decode()
    for page in (LIST, f"{LIST}/new", f"{LIST}/{batch['id']}", f"{LIST}/{batch['id']}/revert"):
        assert browser.get(page).status_code == 403
    assert browser.post(f"{LIST}/{batch['id']}/cancel").status_code == 403


def test_a_batch_of_another_dojo_is_not_found(graded: GradedDojo, other_dojo: Dojo) -> None:
    batch = graded.create_batch(graded.ready)
    browser = visitor(other_dojo, "admin")
    for page in ("", "/progress", "/cancel", "/revert"):
        assert browser.get(f"{LIST}/{batch['id']}{page}").status_code == 404
    assert browser.post(f"{LIST}/{batch['id']}/cancel").status_code == 404
    assert browser.post(f"{LIST}/{batch['id']}/revert", {"reason": "x"}).status_code == 404


def test_the_statements_of_a_batch_do_not_grow_with_its_students(graded: GradedDojo) -> None:
    browser = visitor(graded.dojo, "instructor")
    small = graded.create_batch(graded.ready)
    large = graded.create_batch(*graded.add_students(30))
    graded.process_batches()
    counted = [count_statements(lambda one=one: browser.get(f"{LIST}/{one['id']}")) for one in (small, large)]  # type: ignore[misc]
    assert counted[0] == counted[1] <= 8
    assert count_statements(lambda: browser.get(LIST)) <= 6


def test_an_unknown_choice_in_the_address_filters_nothing(graded: GradedDojo) -> None:
    batch = graded.create_batch(graded.ready)
    browser = visitor(graded.dojo, "admin")
    assert browser.get(f"{LIST}/{batch['id']}?state=nonsense").status_code == 200
    assert browser.get(f"{LIST}/{factories.unknown_id()}").status_code == 404
