"""The list of enrolments of a class equals what the serializer shows, for staff and for families."""

from uuid import uuid4

from tenant_apps.classes.views.classes import Enrolments
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.compiled_lists import assert_as_serialized, queries_of
from tests.support.responses import ok
from tests.support.statements import count_get_statements


def test_the_list_equals_what_the_serializer_shows(dojo: Dojo) -> None:
    group, other = factories.training_class(dojo), factories.training_class(dojo)
    students = [factories.student(dojo, first_name=name) for name in ("Mika", "Zoë", "Ren")]
    factories.link_user(dojo, dojo.student, students[0])
    for one in students:
        dojo.create(f"/classes/{group['id']}/enrolments", {"student": one["id"], "from": "2026-06-01"})
    dojo.create(f"/classes/{other['id']}/enrolments", {"student": students[0]["id"]})
    path = f"/classes/{group['id']}/enrolments"
    for caller, number in ((dojo.admin, 3), (dojo.student, 1)):
        for query in [*queries_of(Enrolments, {}), "page_size=2&page=2", "page=9", "search=x", "ordering=x"]:
            assert_as_serialized(Enrolments, caller, f"{path}?{query}")
        assert ok(caller.get(path))["count"] == number
    assert_as_serialized(Enrolments, dojo.admin, f"/classes/{uuid4()}/enrolments")


def test_the_list_needs_three_statements_whatever_its_size(dojo: Dojo) -> None:
    group = factories.training_class(dojo)
    path = f"/classes/{group['id']}/enrolments"
    for _ in range(3):
        dojo.create(path, {"student": factories.student(dojo)["id"]})
        assert count_get_statements(dojo.admin, path) == 3  # caller, class, list
