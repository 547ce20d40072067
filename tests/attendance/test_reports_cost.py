"""A report is one statement beside finding the caller, whatever the size of the dojo."""

from tests.classes.schedules import a_class, a_student, attend, cost, enrol, sessions
from tests.support.clients import Dojo

REPORTS = [
    *(f"attendance?from=2026-06-01&to=2026-06-15&group_by={key}"
      for key in ("day", "week", "month", "class", "discipline", "student")),
    "absentees?days=1",
    "ranks",
    "expected-attendance?from=2026-06-01&to=2026-06-15",
]  # fmt: skip


def test_a_report_is_one_statement_however_large_the_dojo_is(dojo: Dojo) -> None:
    group = a_class(dojo)
    system = dojo.create("/rank-systems", {"preset": "aikikai"})
    held = sessions(dojo, "2026-06-01", "2026-06-08", **{"class": group["id"]})

    def more(name: str) -> None:
        who = a_student(dojo, name, guardians=[{"name": "Mum"}])
        enrol(dojo, group, who)
        for session in held:
            attend(dojo, who, session)
        body = {"rank": system["ranks"][1]["id"], "kind": "import", "effective_on": "2026-01-01"}
        dojo.create(f"/students/{who['id']}/rank-events", body)

    more("First")
    before = {path: cost(dojo.admin, "GET", f"/reports/{path}") for path in REPORTS}
    for n in range(4):
        more(f"Student {n}")
    a_class(dojo, name="Another")
    after = {path: cost(dojo.admin, "GET", f"/reports/{path}") for path in REPORTS}
    assert after == before == dict.fromkeys(REPORTS, 2)  # the caller, the report
