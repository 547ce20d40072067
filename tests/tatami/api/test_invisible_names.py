"""Names of characters without a glyph are refused, wherever a name is given."""

from typing import Any

import pytest

from tests.classes.factories import MONDAYS
from tests.ranks.documents import KIDS
from tests.students.csv_files import import_csv

INVISIBLE = ["\u200b", "\u3164", "\u2800", "\u115f\u1160", "\u2060\ufeff", "\u00ad", "\u034f", "\U000e0041"]
MESSAGE = ["This text has no visible characters."]


@pytest.mark.parametrize("name", INVISIBLE, ids=ascii)
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/students", {"last_name": "Sato"}, "first_name"),
        ("/students", {"first_name": "Mika"}, "last_name"),
        ("/classes", {"recurrence": MONDAYS}, "name"),
        ("/users", {"email": "new@example.com", "role": "assistant"}, "name"),
        ("/devices", {}, "name"),
        ("/disciplines", {}, "name"),
    ],
)
def test_an_invisible_name_is_refused(
    dojo: Any, path: str, body: dict[str, Any], field: str, name: str
) -> None:
    response = dojo.admin.post(path, {**body, field: name})
    assert response.status_code == 400, response.content
    assert response.json()["error"]["details"] == {field: MESSAGE}
    created = dojo.admin.post(path, {**body, field: f"A{name}"})
    assert created.status_code == 201, created.content


@pytest.mark.parametrize("name", INVISIBLE, ids=ascii)
def test_the_dojo_its_guardians_and_ranks_need_visible_names(dojo: Any, name: str) -> None:
    student = {"first_name": "Mika", "last_name": "Sato", "guardians": [{"name": name}]}
    refused = dojo.admin.post("/students", student)
    assert refused.json()["error"]["details"] == {"guardians.0.name": MESSAGE}
    assert dojo.admin.patch("/settings", {"name": name}).json()["error"]["details"] == {"name": MESSAGE}
    ranks = [{"code": "5-kyu", "name": name}]
    refused = dojo.admin.post("/rank-systems", {**KIDS, "ranks": ranks, "steps": []})
    assert refused.json()["error"]["details"] == {"ranks.0.name": ["must have visible characters"]}


def test_an_invisible_cell_of_an_import_is_empty(dojo: Any) -> None:
    body = import_csv(dojo.admin, "first_name,last_name,phone\n\u200b,Sato,\nRen,Ito,\u2060\n")
    assert body["rows"][0]["errors"] == {"first_name": ["This field may not be blank."]}
    assert body["rows"][1]["outcome"] == "created"
