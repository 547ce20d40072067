"""`POST /facts/import`: one fact per line."""

import pytest

from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import tenant_scope
from tenant_apps.students.models import StudentFact
from tests.students.csv_files import FACTS, file_errors, import_csv, outcomes, upload
from tests.support.clients import Caller
from tests.support.sizes import small_or_full
from tests.support.statements import sent_statements

HEAD = "external_id,kind,rank_system,value,category,on,expires_on,note\n"
ESSAY = "7,document,,Essay,,2026-01-02,,\n"


@pytest.fixture
def kendo(dojo):
    return dojo.create("/rank-systems", {"preset": "fik-kendo"})


@pytest.fixture
def mika(dojo):
    return dojo.create(
        "/students",
        {"first_name": "Mika", "last_name": "Sató", "birth_date": "2000-01-01", "external_id": "7"},
    )


def facts_of(dojo, student):
    rows = dojo.admin.get(f"/students/{student['id']}/facts").json()["results"]
    return {row["kind"]: row for row in rows}


def test_facts_of_every_kind_are_imported(dojo, kendo, mika):
    content = HEAD + (
        f"7,opening_attendance,{kendo['name'].upper()},120,,2026-01-01,,card\n"
        "7,points,FIK-kendo,3,Kata,2026-01-02,2027-01-02,\n"
        "7,skill,,Ukemi,,2026-01-03,,\n"
        "7,approval,,exam,,2026-01-04,,\n"
        "7,document,,article,,2026-01-05,,\n"
        '7,credential,,"First aid, ""large""",,2026-01-06,2028-01-06,in Lyon\n'
        "7,achievement,,national champion,,2026-01-07,,\n"
        "7,membership,,FIK,,2026-01-08,2026-12-31,\n"
    )
    body = import_csv(dojo.admin, content, FACTS)
    assert (body["created"], body["updated"], body["failed"], body["duplicates"]) == (8, 0, 0, 0)
    assert body["rows"][0] == {
        "line": 2,
        "outcome": "created",
        "student": {"id": mika["id"], "name": "Mika Sató"},
        "errors": {},
    }
    found = facts_of(dojo, mika)
    assert set(found) == set(StudentFact.Kind.values)
    system = {"id": kendo["id"], "name": kendo["name"]}
    assert (found["opening_attendance"]["value"], found["opening_attendance"]["rank_system"]) == (120, system)
    assert (found["points"]["value"], found["points"]["rank_system"]) == (
        {"points": 3, "category": "Kata"},
        system,
    )
    credential = found["credential"]
    assert (credential["value"], credential["expires_on"], credential["note"], credential["rank_system"]) == (
        'First aid, "large"',
        "2028-01-06",
        "in Lyon",
        None,
    )
    assert found["approval"]["recorded_by"]["id"] == str(dojo.admin.user.pk)


def test_points_can_have_a_fraction_and_no_category(dojo, mika):
    import_csv(dojo.admin, "external_id,kind,value,on\n7,points,7.5,2026-01-01\n", FACTS)
    assert facts_of(dojo, mika)["points"]["value"] == 7.5


def test_opening_attendance_can_have_a_unit(dojo, mika):
    head = "external_id,kind,value,unit,on\n"
    response = import_csv(dojo.admin, head + "7,opening_attendance,30,hour,2026-01-01\n", FACTS)
    assert outcomes(response) == ["created"]
    assert facts_of(dojo, mika)["opening_attendance"]["value"] == {"count": 30, "unit": "hour"}
    wrong = head + "7,opening_attendance,30,week,2026-01-02\n7,points,3,hour,2026-01-03\n"
    lines = import_csv(dojo.admin, wrong, FACTS)["rows"]
    assert [list(line["errors"]) for line in lines] == [["unit"], ["unit"]]


def test_a_preview_writes_nothing(dojo, mika):
    preview = import_csv(dojo.admin, HEAD + ESSAY, FACTS + "?dry_run=true")
    assert (outcomes(preview), preview["dry_run"]) == (["created"], True)
    assert facts_of(dojo, mika) == {}


def test_existing_facts_are_duplicates(dojo, kendo, mika):
    points = "7,points,fik-kendo,3,kata,2026-01-02,,\n"
    content = HEAD + ESSAY + points + ESSAY
    first = import_csv(dojo.admin, content, FACTS)
    assert outcomes(first) == ["created", "created", "duplicate"]
    assert first["rows"][2]["duplicate_of_line"] == 2
    again = import_csv(dojo.admin, content, FACTS)
    assert (outcomes(again), again["duplicates"]) == (["duplicate"] * 3, 3)
    assert again["rows"][0]["duplicate_of"] == {"id": mika["id"], "name": "Mika Sató"}


@pytest.mark.parametrize(
    "other",
    [
        "7,credential,,Essay,,2026-01-02,,\n",
        "7,document,fik-kendo,Essay,,2026-01-02,,\n",
        "7,document,,Article,,2026-01-02,,\n",
        "7,document,,Essay,,2026-01-03,,\n",
        "8,document,,Essay,,2026-01-02,,\n",
    ],
    ids=["kind", "rank system", "value", "date", "student"],
)
def test_a_fact_that_differs_in_one_value_is_not_a_duplicate(dojo, kendo, mika, other):
    dojo.create("/students", {"first_name": "Ren", "last_name": "Ito", "external_id": "8"})
    import_csv(dojo.admin, HEAD + ESSAY, FACTS)
    assert outcomes(import_csv(dojo.admin, HEAD + other, FACTS)) == ["created"]


def test_a_voided_fact_can_be_imported_again(dojo, mika):
    import_csv(dojo.admin, HEAD + ESSAY, FACTS)
    fact = facts_of(dojo, mika)["document"]
    dojo.admin.post(f"/facts/{fact['id']}/void", {"reason": "Another student's"})
    assert outcomes(import_csv(dojo.admin, HEAD + ESSAY, FACTS)) == ["created"]


def test_a_fact_entered_by_hand_is_a_duplicate(dojo, mika):
    dojo.create(f"/students/{mika['id']}/facts", {"kind": "document", "value": " Essay ", "on": "2026-01-02"})
    assert outcomes(import_csv(dojo.admin, HEAD + ESSAY, FACTS)) == ["duplicate"]


@pytest.mark.parametrize("born", ["2000-01-01", ""])
def test_students_can_be_identified_by_name(dojo, mika, born):
    content = f"first_name,last_name,birth_date,kind,value,on\nMIKA,sato,{born},document,Essay,2026-01-02\n"
    assert import_csv(dojo.admin, content, FACTS)["rows"][0]["student"]["id"] == mika["id"]


def test_an_ambiguous_name_is_an_error(dojo, mika):
    dojo.create("/students", {"first_name": "Mika", "last_name": "Sato", "birth_date": "2001-01-01"})
    content = "first_name,last_name,kind,value,on\nMika,Sato,document,Essay,2026-01-02\n"
    body = import_csv(dojo.admin, content, FACTS)
    assert body["rows"][0]["errors"] == {
        "first_name": ["Several students have this name: give the external_id."]
    }


@pytest.mark.parametrize(
    ("line", "columns"),
    [
        ("8,document,,Essay,,2026-01-02,,", ["external_id"]),
        (",document,,Essay,,2026-01-02,,", ["first_name"]),
        ("7,belt,,Essay,,2026-01-02,,", ["kind"]),
        ("7,hold,,Essay,,2026-01-02,,", ["kind"]),
        ("7,,,Essay,,2026-01-02,,", ["kind"]),
        ("7,document,,,,2026-01-02,,", ["value"]),
        (f"7,document,,{'x' * 201},,2026-01-02,,", ["value"]),
        ("7,document,,a\x07b,,2026-01-02,,", ["value"]),
        ("7,points,,many,,2026-01-02,,", ["value"]),
        ("7,points,,-3,,2026-01-02,,", ["value"]),
        ("7,points,,nan,,2026-01-02,,", ["value"]),
        ("7,points,,1e3,,2026-01-02,,", ["value"]),
        ("7,points,,٣,,2026-01-02,,", ["value"]),
        ("7,points,,1000001,kata,2026-01-02,,", ["value"]),
        ("7,opening_attendance,,5.5,,2026-01-02,,", ["value"]),
        ("7,opening_attendance,,100001,,2026-01-02,,", ["value"]),
        (f"7,points,,3,{'x' * 101},2026-01-02,,", ["category"]),
        ("7,points,,3,a\x07b,2026-01-02,,", ["category"]),
        ("7,document,,Essay,kata,2026-01-02,,", ["category"]),
        ("7,document,karate,Essay,,2026-01-02,,", ["rank_system"]),
        ("7,document,,Essay,,yesterday,,", ["on"]),
        ("7,document,,Essay,,,,", ["on"]),
        ("7,document,,Essay,,2026-01-02,2026-01-01,", ["expires_on"]),
        (f"7,document,,Essay,,2026-01-02,,{'x' * 501}", ["note"]),
        ("7,document", ["value", "on"]),
        ("9,belt,karate,,,soon,never,", ["value", "kind", "on", "expires_on", "rank_system", "external_id"]),
    ],
)
def test_a_faulty_line_is_not_written(dojo, kendo, mika, line, columns):
    body = import_csv(dojo.admin, f"{HEAD}{line}\n{ESSAY}", FACTS)
    assert outcomes(body) == ["failed", "created"]
    assert list(body["rows"][0]["errors"]) == columns
    assert len(facts_of(dojo, mika)) == 1


def test_the_name_of_a_rank_system_takes_precedence_over_its_preset(dojo, kendo, mika):
    dojo.admin.patch(f"/rank-systems/{kendo['id']}", {"name": "Our grades"})
    other = dojo.create("/rank-systems", {"preset": "fik-kendo"})
    dojo.admin.patch(f"/rank-systems/{other['id']}", {"name": "Their grades"})
    line = "7,document,{},Essay,,2026-01-02,,\n"
    body = import_csv(dojo.admin, HEAD + line.format("fik-kendo") + line.format("our grades"), FACTS)
    assert body["rows"][0]["errors"] == {
        "rank_system": ["Several rank systems have this name: give the exact name."]
    }
    assert facts_of(dojo, mika)["document"]["rank_system"] == {"id": kendo["id"], "name": "Our grades"}


def test_the_file_must_have_columns_that_identify_students(dojo):
    messages = file_errors(upload(dojo.admin, "kind,value,on\n", FACTS))
    assert messages == ["Name the students by external_id, or by first_name, last_name and birth_date."]


def test_the_file_must_have_the_required_columns(dojo):
    messages = file_errors(upload(dojo.admin, "external_id,belt\n", FACTS))
    assert messages == [
        "There is no column 'belt'.",
        "The column 'kind' is missing.",
        "The column 'value' is missing.",
        "The column 'on' is missing.",
    ]


def test_imported_points_of_a_category_count(dojo, mika):
    criterion = {"kind": "points", "n": 5, "category": "kata"}
    system = dojo.create("/rank-systems", {
        "format": 1, "name": "Ours", "art": "Judo", "source": "Our own", "confidence": "C",
        "ranks": [{"code": "white", "name": "White"}],
        "steps": [{"from": None, "to": "white", "paths": [{"name": "regular", "criteria": [criterion]}]}],
    })  # fmt: skip
    content = HEAD + (
        "7,points,Ours,3,Kata,2026-01-02,,\n"
        "7,points,ours,2.5,kata,2026-01-03,2026-06-14,\n"
        "7,points,ours,2.5,kata,2026-01-04,2026-06-15,\n"
        "7,points,ours,9,Kumite,2026-01-05,,\n"
        "7,points,ours,9,,2026-01-06,,\n"
    )
    assert import_csv(dojo.admin, content, FACTS)["created"] == 5
    body = {"students": [mika["id"]], "rank_system": system["id"]}

    def have(as_of):
        (response,) = dojo.admin.post("/promotions/check", {**body, "as_of": as_of}).json()["results"]
        return response["criteria"][0]["have"], response["status"]

    assert have("2026-06-14") == (8, "eligible")
    assert have("2026-06-15") == (5.5, "eligible")
    assert have("2026-06-16") == (3, "not_eligible")


def test_an_imported_approval_counts_as_given_by_the_importing_user(dojo, mika):
    """An admin, who counts where an instructor is asked."""
    steps = [
        {
            "from": None,
            "to": code,
            "paths": [{"name": "regular", "criteria": [{"kind": "approval", "which": "exam", "by": role}]}],
        }
        for code, role in (("white", "instructor"), ("yellow", "admin"))
    ]
    ranks = [{"code": "white", "name": "White"}, {"code": "yellow", "name": "Yellow"}]
    rules = {"format": 1, "name": "Ours", "art": "Judo", "source": "Our own", "confidence": "C"}
    dojo.create("/rank-systems", {**rules, "ranks": ranks, "steps": steps})

    def statuses():
        answers = dojo.admin.post("/promotions/check", {"students": [mika["id"]]}).json()["results"]
        return {one["target_rank"]["name"]: one["status"] for one in answers}

    assert statuses() == {"White": "not_eligible", "Yellow": "not_eligible"}
    import_csv(dojo.admin, HEAD + "7,approval,,exam,,2026-01-04,,\n", FACTS)
    assert statuses() == {"White": "eligible", "Yellow": "eligible"}, (
        "only admins import; an admin is above both"
    )


def test_an_import_does_not_change_the_other_dojo(dojo, other_dojo, mika):
    namesake = other_dojo.create(
        "/students", {"first_name": "Mika", "last_name": "Sató", "birth_date": "2000-01-01"}
    )
    assert outcomes(import_csv(other_dojo.admin, HEAD + ESSAY, FACTS)) == ["failed"]
    assert outcomes(import_csv(dojo.admin, HEAD + ESSAY, FACTS)) == ["created"]
    with tenant_scope(other_dojo.tenant):
        assert StudentFact.objects.count() == 0
    stranger = Caller(other_dojo.host, token=dojo.admin.token)
    assert upload(stranger, HEAD + ESSAY, FACTS).status_code == 401
    assert facts_of(other_dojo, namesake) == {}


@pytest.mark.parametrize("role", ["instructor", "assistant", "student"])
def test_only_admins_import(dojo, mika, role):
    assert upload(dojo.person(role), HEAD + ESSAY, FACTS).status_code == 403
    assert facts_of(dojo, mika) == {}


@small_or_full("many", small=200, full=3_000)
def test_the_number_of_statements_does_not_depend_on_the_number_of_lines(
    dojo, kendo, mika, monkeypatch, many
):
    """In the transaction of the test, BEGIN and COMMIT of the import are SAVEPOINT and RELEASE."""
    import_csv(dojo.admin, HEAD + ESSAY, FACTS)
    # Stop the clock of the host cache, which reads the database twice a second.
    monkeypatch.setattr(host_resolver(), "_monotonic", lambda: 0.0)

    def cost(lines):
        facts = "".join(f"7,skill,fik-kendo,Kata {n} of {lines},,2026-01-02,,\n" for n in range(lines))
        with sent_statements() as statements:
            assert import_csv(dojo.admin, HEAD + facts, FACTS)["created"] == lines
        return len(statements)

    assert cost(1) == cost(many) <= 12
