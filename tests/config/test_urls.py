"""A few requests through the real URL tables of both kinds of host, with all middleware."""


def test_me_shows_the_caller(dojo):
    response = dojo.admin.get("/me")
    assert response.status_code == 200, response.content
    assert response.json()["role"] == "admin"
    assert response.json()["tenant"]["slug"] == "aiki"


def test_a_superadmin_lists_the_dojos(platform):
    response = platform.superadmin().get("/tenants")
    assert response.status_code == 200, response.content
    assert {one["slug"] for one in response.json()["results"]} >= {"aiki", "kendo"}


def test_a_patch_replaces_nested_objects_as_a_whole(dojo):
    recurrence = {"weekdays": ["mo"], "start_time": "18:30", "duration_minutes": 60, "from": "2026-06-01"}
    created = dojo.create(
        "/classes",
        {"name": "Evening", "recurrence": recurrence, "check_in_window": {"late_after_minutes": 5}},
    )
    response = dojo.admin.patch(f"/classes/{created['id']}", {"recurrence": {"weekdays": ["tu"]}})
    assert response.status_code == 400
    assert "recurrence.start_time" in response.json()["error"]["details"]
    response = dojo.admin.patch(f"/classes/{created['id']}", {"check_in_window": {"opens_minutes_before": 7}})
    assert response.json()["check_in_window"] == {
        "opens_minutes_before": 7,
        "closes_minutes_after": None,
        "late_after_minutes": None,
    }
    response = dojo.admin.patch(f"/classes/{created['id']}", {"name": "Night"})
    assert response.json()["check_in_window"]["opens_minutes_before"] == 7


def test_a_write_is_audited_and_the_app_login_cannot_change_the_audit(dojo, as_app):
    created = dojo.create("/disciplines", {"name": "Aikido"})
    found = dojo.admin.get("/audit").json()["results"]
    assert [(one["action"], one["object"], one["fields"]) for one in found] == [
        ("disciplines.post", created["id"], ["name"])
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


def test_a_time_with_trailing_text_is_refused(dojo):
    recurrence = {"weekdays": ["mo"], "start_time": "18:30 pm", "duration_minutes": 60, "from": "2026-06-01"}
    response = dojo.admin.post("/classes", {"name": "Evening", "recurrence": recurrence})
    assert list(response.json()["error"]["details"]) == ["recurrence.start_time"]
