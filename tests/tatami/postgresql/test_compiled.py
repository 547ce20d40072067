"""Compiled queries: parameters, constants, shapes; and that nothing of one dojo or day stays in them."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from tatami.clock import tenant_date
from tatami.postgresql.compiled import (
    MAX_SHAPES,
    OFFSET,
    CompiledQuery,
    compiled_shape,
    finish,
    many,
    page_query,
    parameters_of,
    shape_of,
)
from tatami.tenancy.scope import NoScope, TenantScope, tenant_scope
from tenant_apps.students.models import Student
from tests.support import factories
from tests.support.clients import Dojo


def test_a_parameter_that_occurs_twice_has_one_number() -> None:
    found = finish(
        "x", "a = %s AND b = %s OR a = %s", list(parameters_of({"one": 1, "two": "2"}).values()) * 2
    )
    assert (found.statement.sql, found.names) == ("a = $1 AND b = $2 OR a = $1", ("one", "two"))


@pytest.mark.parametrize(
    ("constant", "literal"),
    [
        ("it's", "'it''s'"),
        ("100%s $1", "'100%s $1'"),
        (7, "7"),
        (True, "true"),
        (Student.Status.TRIAL, "'trial'"),
    ],
)
def test_constants_become_literals(constant: Any, literal: str) -> None:
    assert (
        finish("x", "a = %s AND b LIKE 'c%%'", [constant]).statement.sql == f"a = {literal} AND b LIKE 'c%'"
    )


def test_values_share_a_shape_if_only_parameters_differ() -> None:
    day, at, key = date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC), uuid4()
    first = shape_of({"on": day, "at": at, "id": key, "text": "a", "n": 1, "ids": [key], "archived": True})
    other = {"on": date.max, "at": at, "id": uuid4(), "text": "", "n": 2, "ids": [key, key], "archived": True}
    assert shape_of(other) == first
    for name, value in {"archived": False, "on": at, "text": None, "ids": ["a"], "n": True}.items():
        assert shape_of({**other, name: value}) != first
    assert shape_of({"a": 1}) != shape_of({"b": 1})


def test_a_compiled_query_runs_with_other_values_in_each_dojo(dojo: Dojo, other_dojo: Dojo) -> None:
    named = CompiledQuery(
        "test.named",
        lambda ids, name: Student.objects.not_archived().filter(pk__in=ids, first_name=name),
        columns=("id", "last_name"),
        ids=many(UUID),
        name=str,
    )
    mika, ren = factories.student(dojo, first_name="Mi%ka"), factories.student(other_dojo, first_name="Ren")
    ids = [mika["id"], ren["id"]]
    for here, one in ((dojo, mika), (other_dojo, ren)):
        with tenant_scope(here.tenant):
            assert named.rows(ids=ids, name=one["first_name"]) == [(one["id"], "Sato")]
            assert named.rows(ids=[], name=one["first_name"]) == []
    with tenant_scope(dojo.tenant), pytest.raises(KeyError):
        named.rows(ids=ids)


def test_a_list_of_any_length_is_one_parameter() -> None:
    among = CompiledQuery(
        "test.among", lambda ids: Student.objects.exclude(pk__in=ids), columns=("id",), ids=many(UUID)
    )
    assert '"id" = ANY($1::uuid[])' in among.compiled.statement.sql
    assert "unnest" not in among.compiled.statement.sql


def test_a_page_has_its_rows_and_the_number_of_all(dojo: Dojo) -> None:
    for name in ("C", "A", "B"):
        factories.student(dojo, first_name=name)
    rows = Student.objects.order_by("first_name")
    page = page_query("test.page", rows, ["first_name"], limit=2, counted=True, skips=True)
    with tenant_scope(dojo.tenant):
        assert page.rows({OFFSET: 0}) == [("A", 3), ("B", 3)]
        assert page.rows({OFFSET: 2}) == [("C", 3)]
        assert page.rows({OFFSET: 10**11}) == []


def test_a_queryset_that_reads_the_dojo_cannot_be_compiled(tenant: TenantScope) -> None:
    local = CompiledQuery("test.local", lambda: Student.objects.promotable(tenant_date()), columns=("id",))
    with tenant_scope(tenant), pytest.raises(NoScope):
        local.rows()


def test_a_parameter_cannot_be_compared_in_python() -> None:
    parameter = parameters_of({"on": date(2026, 1, 1)})["on"]
    with pytest.raises(TypeError):
        _ = parameter < date(2026, 1, 1)


def test_a_shape_is_compiled_once_and_shapes_are_bounded() -> None:
    made: list[int] = []

    def build(number: int) -> Any:
        made.append(number)
        return finish("x", "SELECT 1", [])

    for _ in range(2):
        compiled_shape(("test", 0), lambda: build(0))
    assert made == [0]
    for number in range(1, MAX_SHAPES + 1):
        compiled_shape(("test", number), lambda number=number: build(number))
    compiled_shape(("test", 0), lambda: build(0))
    assert made == [*range(MAX_SHAPES + 1), 0]
