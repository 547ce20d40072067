"""`POST /students/import`: the effects of a file, and of importing it again."""

from typing import Any

import pytest
from django.db import connection

from tatami.tenancy.scope import tenant_scope
from tenant_apps.students.models import EligibilitySnapshot, Guardian, Student
from tests.students.csv_files import import_csv, outcomes, upload


def student_named(caller: Any, search: str) -> dict[str, Any]:
    rows = caller.get(f"/students?search={search}").json()["results"]
    assert len(rows) == 1, rows
    return rows[0]


def test_a_line_creates_a_student(dojo):
    body = import_csv(
        dojo.admin,
        "first_name,last_name,email,birth_date,status,external_id,medical_notes\n"
        "Zoë,Müller,zoe@example.com,2010-05-04,trial,M-1,asthma\n",
    )
    assert {name: body[name] for name in ("created", "updated", "failed", "duplicates")} == {
        "created": 1,
        "updated": 0,
        "failed": 0,
        "duplicates": 0,
    }
    student = student_named(dojo.admin, "zoe+muller")
    assert body["rows"] == [
        {
            "line": 2,
            "outcome": "created",
            "student": {"id": student["id"], "name": "Zoë Müller"},
            "errors": {},
        }
    ]
    assert (student["birth_date"], student["status"], student["external_id"]) == (
        "2010-05-04",
        "trial",
        "M-1",
    )
    assert student["medical_notes"] == "asthma"


def test_a_dry_run_reports_the_same_and_writes_nothing(dojo):
    content = "first_name,last_name\nA,B\n,C\n"
    preview = import_csv(dojo.admin, content, "/students/import?dry_run=true")
    assert outcomes(preview) == ["created", "failed"]
    assert preview["dry_run"] is True
    assert dojo.admin.get("/students").json()["count"] == 0
    assert [row for row in dojo.admin.get("/audit").json()["results"] if "import" in row["action"]] == []
    assert outcomes(import_csv(dojo.admin, content)) == ["created", "failed"]
    assert dojo.admin.get("/audit").json()["results"][0]["action"] == "students-import.post"


def test_a_known_external_id_updates_and_empty_cells_are_ignored(dojo):
    import_csv(dojo.admin, "first_name,last_name,external_id,phone\nMika,Sato,7,+49 30 1\n")
    body = import_csv(dojo.admin, "first_name,last_name,external_id,phone,email\nMika,Ito,7,,m@example.com\n")
    assert outcomes(body) == ["updated"]
    student = student_named(dojo.admin, "mika")
    assert (student["name"], student["phone"], student["email"]) == ("Mika Ito", "+49 30 1", "m@example.com")


def test_lines_without_an_external_id_are_duplicates_the_second_time(dojo):
    content = (
        "first_name,last_name,birth_date\nMika,Sato,2010-01-01\nMIKA,sató,2010-01-01\nMika,Sato,2011-01-01\n"
    )
    first = import_csv(dojo.admin, content)
    assert outcomes(first) == ["created", "duplicate", "created"]
    assert first["rows"][1]["duplicate_of_line"] == 2
    second = import_csv(dojo.admin, content)
    assert outcomes(second) == ["duplicate"] * 3
    assert second["rows"][0]["duplicate_of"] == first["rows"][0]["student"]
    assert dojo.admin.get("/students").json()["count"] == 2
    allowed = import_csv(dojo.admin, content, "/students/import?allow_duplicates=true")
    assert outcomes(allowed) == ["created"] * 3


def test_siblings_share_a_guardian_also_the_second_time(dojo):
    content = (
        "external_id,first_name,last_name,guardian_1_name,guardian_1_email,guardian_1_relation,guardian_2_name\n"
        "1,Mika,Sato,Hana Sato,hana@example.com,mother,Jun Sato\n"
        "2,Ren,Sato,hana sato,HANA@example.com,mother,\n"
    )
    import_csv(dojo.admin, content)
    import_csv(dojo.admin, content)
    mika, ren = student_named(dojo.admin, "mika")["guardians"], student_named(dojo.admin, "ren")["guardians"]
    assert [guardian["relation"] for guardian in mika] == ["mother", ""]
    assert mika[0]["id"] == ren[0]["id"]
    assert len(dojo.admin.get("/guardians").json()["results"]) == 2


def test_guardians_are_replaced_and_unlinked_guardians_deleted(dojo):
    head = "external_id,first_name,last_name,guardian_1_name,guardian_1_phone\n"
    import_csv(dojo.admin, head + "1,Mika,Sato,Hana Sato,030 1\n")
    import_csv(dojo.admin, head + "1,Mika,Sato,Jun Sato,030 2\n")
    assert [row["name"] for row in dojo.admin.get("/guardians").json()["results"]] == ["Jun Sato"]
    import_csv(dojo.admin, head + "1,Mika,Sato,,\n")
    assert [row["name"] for row in student_named(dojo.admin, "mika")["guardians"]] == ["Jun Sato"]


@pytest.fixture
def kendo(dojo):
    return dojo.create("/rank-systems", {"preset": "fik-kendo"})


@pytest.mark.parametrize("written", ["{code}", "{name}"])
def test_ranks_and_opening_balances_are_imported_once(dojo, kendo, written):
    rank = kendo["ranks"][2]
    content = (
        "external_id,first_name,last_name,rank_system,rank,rank_on,opening_attendance\n"
        f"1,Mika,Sato,{kendo['name'].upper()},{written.format(**rank).upper()},2024-09-01,55\n"
    )
    for _ in range(2):
        assert import_csv(dojo.admin, content)["failed"] == 0
    student = student_named(dojo.admin, "mika")
    assert [(held["id"], held["since"]) for held in student["ranks"]] == [(rank["id"], "2024-09-01")]
    assert dojo.admin.get(f"/students/{student['id']}/rank-events").json()["count"] == 1
    (fact,) = dojo.admin.get(f"/students/{student['id']}/facts").json()["results"]
    assert (fact["kind"], fact["value"], fact["on"]) == ("opening_attendance", 55, "2026-06-15")
    import_csv(dojo.admin, content.replace(",55", ",60"))
    facts = dojo.admin.get(f"/students/{student['id']}/facts").json()["results"]
    assert sorted((fact["value"], fact["voided"]) for fact in facts) == [(55, True), (60, False)]


def test_an_imported_rank_deletes_the_result_of_the_nightly_check(dojo, kendo):
    import_csv(dojo.admin, "external_id,first_name,last_name\n1,Mika,Sato\n2,Ren,Ito\n")
    people = {name: student_named(dojo.admin, name)["id"] for name in ("mika", "ren")}
    target = {"system_id": kendo["id"], "target_id": kendo["ranks"][1]["id"], "as_of": "2026-06-15"}
    with tenant_scope(dojo.tenant):
        for student in people.values():
            EligibilitySnapshot.objects.create(student_id=student, status="eligible", **target)
    rank = f"{kendo['name']},{kendo['ranks'][0]['code']},2024-09-01"
    content = f"external_id,first_name,last_name,rank_system,rank,rank_on\n1,Mika,Sato,{rank}\n"
    assert import_csv(dojo.admin, content)["updated"] == 1
    with tenant_scope(dojo.tenant):
        left = EligibilitySnapshot.objects.values_list("student_id", flat=True)
        assert [str(student) for student in left] == [people["ren"]]


def test_users_cannot_import_their_own_ranks(dojo, kendo):
    import_csv(dojo.admin, "external_id,first_name,last_name\n1,Head,Instructor\n")
    me = student_named(dojo.admin, "head")
    dojo.admin.patch(f"/users/{dojo.admin.user.pk}", {"students": [me["id"]]})
    code = kendo["ranks"][0]["code"]
    body = import_csv(
        dojo.admin, f"external_id,first_name,last_name,rank,rank_on\n1,Head,Instructor,{code},2020-01-01\n"
    )
    assert body["rows"][0]["errors"] == {"rank": ["You cannot change your own ranks."]}


def test_an_idempotency_key_replays_the_response(dojo):
    content = "first_name,last_name\nMika,Sato\n"
    first = upload(dojo.admin, content, Idempotency_Key="k1")
    again = upload(dojo.admin, content, Idempotency_Key="k1")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    other = upload(dojo.admin, content + "A,B\n", Idempotency_Key="k1")
    assert other.json()["error"]["code"] == "idempotency_key_reused"
    assert dojo.admin.get("/students").json()["count"] == 1


def test_an_archived_student_is_updated_and_stays_archived(dojo):
    content = "external_id,first_name,last_name\n1,Mika,Sato\n"
    student = import_csv(dojo.admin, content)["rows"][0]["student"]
    dojo.admin.delete(f"/students/{student['id']}")
    assert outcomes(import_csv(dojo.admin, content)) == ["updated"]
    assert dojo.admin.get("/students").json()["count"] == 0


def test_an_import_does_not_change_the_other_dojo(dojo, other_dojo):
    import_csv(dojo.admin, "external_id,first_name,last_name,guardian_1_name\n1,Mika,Sato,Hana\n")
    assert outcomes(import_csv(other_dojo.admin, "external_id,first_name,last_name\n1,Mika,Sato\n")) == [
        "created"
    ]
    with tenant_scope(other_dojo.tenant):
        assert (Student.objects.count(), Guardian.objects.count()) == (1, 0)


@pytest.mark.parametrize("role", ["instructor", "assistant", "student"])
def test_only_admins_import_and_export(dojo, role):
    person = dojo.person(role)
    assert upload(person, "first_name,last_name\nA,B\n").status_code == 403
    assert upload(person, "a\n", "/rank-events/import").status_code == 403
    assert person.get("/students/export").status_code == 403


def test_a_second_import_of_a_dojo_is_told_that_another_one_is_running(dojo, superuser):
    superuser.execute("BEGIN")
    superuser.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"import {dojo.tenant.tenant_id}"]
    )
    with tenant_scope(dojo.tenant), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '20ms'")
    response = upload(dojo.admin, "first_name,last_name\nA,B\n")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "import_in_progress")
    superuser.execute("ROLLBACK")
    assert outcomes(import_csv(dojo.admin, "first_name,last_name\nA,B\n")) == ["created"]
