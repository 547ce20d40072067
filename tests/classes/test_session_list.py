"""The list of sessions equals what the serializer shows, for staff, students and devices."""

from tenant_apps.classes.views import SessionCollection
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.compiled_lists import assert_as_serialized, queries_of


def test_the_list_equals_what_the_serializer_shows(dojo: Dojo) -> None:
    art = factories.discipline(dojo)
    system = factories.rank_system(dojo, discipline=art["id"])
    teachers = [str(dojo.instructor.user.pk), str(dojo.admin.user.pk)]
    group = factories.training_class(
        dojo,
        discipline=art["id"],
        min_rank=system["ranks"][0]["id"],
        instructors=teachers,
        location="Hall 1",
        check_in_window={"opens_minutes_before": 10},
    )
    single = factories.single_session(
        dojo, "2026-06-16T16:30:00Z", note="Bring a jo.", instructors=teachers[:1]
    )
    dojo.create(f"/class-sessions/{single['id']}/cancellation", {"reason": "Snow"})
    device, _ = factories.paired_device(dojo)
    samples = {
        "from": "2026-06-15",
        "to": "2026-06-30",
        "class": group["id"],
        "discipline": art["id"],
        "instructor": teachers[0],
        "status": "scheduled",
        "location": "Hall 1",
    }
    more = [
        "status=cancelled",
        "page_size=2&page=2",
        "search=x",
        "page=99",
        "to=x&from=x&page=0",
        "to=9999-12-31",
    ]
    for query in [*queries_of(SessionCollection, samples), *more]:
        for caller in (dojo.admin, dojo.student, device):
            assert_as_serialized(SessionCollection, caller, f"/class-sessions?{query}")
