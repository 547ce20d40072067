"""The list of attendances equals what the serializer shows, on each page and in both directions."""

from tatami.tenancy.scope import tenant_scope
from tenant_apps.attendance.views.attendance import AttendanceCollection
from tenant_apps.students.models import Student
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.compiled_lists import assert_as_serialized, queries_of
from tests.support.now import NOW
from tests.support.responses import ok, url_path


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
