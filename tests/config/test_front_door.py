def test_me_shows_the_caller(dojo):
    answer = dojo.admin.get("/me")
    assert answer.status_code == 200, answer.content
    assert answer.json()["role"] == "admin"
    assert answer.json()["tenant"]["slug"] == "aiki"


def test_superadmin_lists_dojos(platform):
    answer = platform.superadmin().get("/tenants")
    assert answer.status_code == 200, answer.content
    assert {one["slug"] for one in answer.json()["results"]} >= {"aiki", "kendo"}


def test_a_patch_replaces_nested_objects_whole(dojo):
    recurrence = {"weekdays": ["mo"], "start_time": "18:30", "duration_minutes": 60, "from": "2026-06-01"}
    made = dojo.create(
        "/classes",
        {"name": "Evening", "recurrence": recurrence, "check_in_window": {"late_after_minutes": 5}},
    )
    answer = dojo.admin.patch(f"/classes/{made['id']}", {"recurrence": {"weekdays": ["tu"]}})
    assert answer.status_code == 400
    assert "recurrence.start_time" in answer.json()["error"]["details"]
    answer = dojo.admin.patch(f"/classes/{made['id']}", {"check_in_window": {"opens_minutes_before": 7}})
    assert answer.json()["check_in_window"] == {
        "opens_minutes_before": 7,
        "closes_minutes_after": None,
        "late_after_minutes": None,
    }
    answer = dojo.admin.patch(f"/classes/{made['id']}", {"name": "Night"})
    assert answer.json()["check_in_window"]["opens_minutes_before"] == 7


def test_a_write_is_audited_and_audit_cannot_be_changed(dojo, as_app):
    made = dojo.create("/disciplines", {"name": "Aikido"})
    found = dojo.admin.get("/audit").json()["results"]
    assert [(one["action"], one["object"], one["fields"]) for one in found] == [
        ("disciplines.post", made["id"], ["name"])
    ]
    assert not as_app.execute(
        "SELECT has_table_privilege(%s, 'UPDATE') OR has_table_privilege(%s, 'DELETE')",
        [f"{dojo.tenant.schema_name}.accounts_auditentry"] * 2,
    ).fetchone()[0]


def test_a_crafted_cursor_is_refused(dojo):
    cursor = (
        "WyJwIiwiOTk5OS0xMi0zMVQyMzo1OTo1OS0yMzo1OSIsIjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMCJd"
    )
    assert dojo.admin.get(f"/audit?cursor={cursor}").json()["error"]["code"] == "validation_error"


def test_a_time_with_something_behind_it_is_refused(dojo):
    recurrence = {"weekdays": ["mo"], "start_time": "18:30 pm", "duration_minutes": 60, "from": "2026-06-01"}
    answer = dojo.admin.post("/classes", {"name": "Evening", "recurrence": recurrence})
    assert list(answer.json()["error"]["details"]) == ["recurrence.start_time"]
