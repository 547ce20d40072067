"""The list of attendances equals what the serializer shows, on each page and in both directions."""

from tatami.tenancy.scope import tenant_scope
from tenant_apps.attendance.views.attendance import AttendanceCollection, StudentAttendance
from tenant_apps.students.models import Student
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.compiled_lists import assert_as_serialized, queries_of
from tests.support.now import NOW
from tests.support.responses import ok, url_path
from tests.support.statements import count_get_statements


def test_the_list_equals_what_the_serializer_shows(dojo: Dojo) -> None:
    group = factories.training_class(dojo)
    session = factories.session_today(dojo, group)
    first, second, erased = (factories.student(dojo, first_name=name) for name in ("Mika", "Zoë", "Ren"))
    factories.link_user(dojo, dojo.student, first)
    rows = [factories.attendance(dojo, one, session) for one in (first, second, erased)]
    for day in range(1, 6):
        earlier = factories.single_session(dojo, f"2026-06-0{day}T16:00:00Z")
        rows.append(factories.attendance(dojo, first, earlier))
    ok(dojo.admin.post(f"/attendance/{rows[-1]['id']}/void", {"reason": "By mistake"}))
    with tenant_scope(dojo.tenant):
        Student.objects.filter(pk=erased["id"]).update(erased_at=NOW)
    samples = {
        "student": first["id"],
        "class_session": session["id"],
        "class": group["id"],
        "method": "manual",
        "from": "2026-06-01",
        "to": "2026-06-15",
    }
    more = [
        "cursor=x",
        "page_size=0",
        "from=x&cursor=x",
        "search=x",
        "ordering=x&cursor=x",
        "page_size=x&cursor=x",
    ]
    for caller in (dojo.admin, dojo.student):
        for query in [*queries_of(AttendanceCollection, samples), *more]:
            assert_as_serialized(AttendanceCollection, caller, f"/attendance?{query}")
        path = "/attendance?page_size=2"
        while path:
            page = assert_as_serialized(AttendanceCollection, caller, path)
            if page["previous"]:
                assert_as_serialized(AttendanceCollection, caller, url_path(page["previous"]))
            path = url_path(page["next"]) if page["next"] else ""


def test_the_list_of_a_student_equals_what_the_serializer_shows(dojo: Dojo) -> None:
    mika, other = factories.student(dojo), factories.student(dojo)
    factories.link_user(dojo, dojo.student, mika)
    for day in range(1, 6):
        session = factories.single_session(dojo, f"2026-06-0{day}T16:00:00Z")
        factories.attendance(dojo, mika, session)
        factories.attendance(dojo, other, session)
    path = f"/students/{mika['id']}/attendance"
    samples = {"from": "2026-06-02", "to": "2026-06-04"}
    for caller in (dojo.admin, dojo.student):
        for query in [
            *queries_of(StudentAttendance, samples),
            "page_size=2",
            "cursor=x",
            "from=x",
            "search=x",
        ]:
            assert_as_serialized(StudentAttendance, caller, f"{path}?{query}")
        assert len(ok(caller.get(path))["results"]) == 5
        assert len(ok(caller.get(f"{path}?from=2026-06-02&to=2026-06-04"))["results"]) == 3
    hidden = f"/students/{other['id']}/attendance"
    assert_as_serialized(StudentAttendance, dojo.student, hidden)
    assert dojo.student.get(hidden).status_code == 404


def test_the_list_of_a_student_needs_three_statements(dojo: Dojo) -> None:
    mika = factories.student(dojo)
    for day in range(1, 4):
        factories.attendance(dojo, mika, factories.single_session(dojo, f"2026-06-0{day}T16:00:00Z"))
    assert (
        count_get_statements(dojo.admin, f"/students/{mika['id']}/attendance") == 3
    )  # caller, student, list
