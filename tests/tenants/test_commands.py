"""The commands for operators."""

import sys
from io import StringIO
from typing import Any

import orjson
import pytest
from django.core.management import CommandError, call_command, load_command_class

from shared_apps.accounts.models import User
from shared_apps.tenants import provisioning
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import remove_incomplete_tenants
from shared_apps.tenants.schema.ddl import owner_connection
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.support.committed import erase_dojo, terminate_owner_sessions

COMMANDS = (
    "tenant_list",
    "tenant_create",
    "tenant_check",
    "tenant_shell",
    "migrate_fleet",
    "lint_migrations",
)


def run_command(name: str, *args: str, **options: Any) -> str:
    """Run a command; return what it printed."""
    out = StringIO()
    with platform_scope():
        call_command(name, *args, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def run_command_json(name: str, *args: str) -> Any:
    return orjson.loads(run_command(name, *args, "--json"))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example(name: str) -> None:
    text = load_command_class("shared_apps.tenants", name).create_parser("manage.py", name).format_help()
    assert f"example:\n  manage.py {name}" in text
    assert ("--json" in text) == (name != "tenant_shell")


def test_the_list_shows_every_dojo(north: TenantScope, south: TenantScope) -> None:
    listed = {row["slug"]: row for row in run_command_json("tenant_list")}
    assert {"aiki", "kendo", "north", "south"} <= set(listed)
    assert listed["north"]["id"] == str(north.tenant_id)
    assert (listed["north"]["status"], listed["north"]["version"]) == ("active", "current")
    assert "north.localhost" in run_command("tenant_list", "--search", "north")


def test_the_list_can_be_filtered(north: TenantScope) -> None:
    assert run_command_json("tenant_list", "--status", "suspended") == []
    assert [row["slug"] for row in run_command_json("tenant_list", "--search", "nort")] == ["north"]
    assert run_command_json("tenant_list", "--not-current") == []


def test_the_list_shows_how_versions_compare_with_the_code(north: TenantScope, superuser: Any) -> None:
    update = "UPDATE tenants_tenant SET schema_version = %s WHERE slug = 'north' RETURNING schema_version"
    with platform_scope():
        before = Tenant.objects.get(slug="north").schema_version
    try:
        for version, words in (("dojo.0001_initial", "too far behind"), (f"{before},dojo.9999_x", "ahead")):
            superuser.execute(update, [version])
            assert [row["version"] for row in run_command_json("tenant_list", "--not-current")] == [words]
    finally:
        superuser.execute(update, [before])


def test_a_sound_fleet_passes_the_check(north: TenantScope) -> None:
    checked = run_command_json("tenant_check", "north", str(north.tenant_id))
    assert (checked["checked"], checked["broken"]) == (2, 0)
    assert checked["dojos"][0]["tables"] > 0
    assert "0 with faults" in run_command("tenant_check", "north")


FAULTS = {
    "ALTER TABLE {}.students_student DISABLE ROW LEVEL SECURITY": "lacks row level security",
    "DELETE FROM {}.django_migrations WHERE app = 'promotions'": "is behind: lacks promotions.0001_initial",
    "DROP TABLE {}.students_studentnote CASCADE": "lacks tables",
}


@pytest.mark.parametrize(("damage", "fault"), FAULTS.items())
def test_the_check_names_each_fault(
    damage: str, fault: str, superuser: Any, without_transaction: None
) -> None:
    try:
        run_command("tenant_create", "broken", "--name", "Broken", "--admin", "head@example.com")
        with platform_scope():
            schema = Tenant.objects.get(slug="broken").schema_name
        superuser.execute(damage.format(schema))
        out = StringIO()
        with platform_scope(), pytest.raises(SystemExit) as exit_:
            call_command("tenant_check", "broken", "aiki", stdout=out, stderr=StringIO())
        assert exit_.value.code == 1
        assert fault in out.getvalue()
        assert "2 dojos checked, 1 with faults" in out.getvalue()
    finally:
        erase_dojo(superuser, "broken")


def test_tenant_create_creates_a_dojo(
    without_transaction: None, superuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO("seven rolling waves\n"))
    given = ("made", "--name", "Made", "--timezone", "Europe/Berlin", "--admin", "head@example.com")
    try:
        made = run_command_json("tenant_create", *given, "--password-stdin")
        assert made["host"] == "made.localhost"
        with platform_scope():
            tenant = Tenant.objects.get(pk=made["id"])
        assert (tenant.status, tenant.timezone) == ("active", "Europe/Berlin")
        with tenant_scope(tenant):
            assert User.objects.get(pk=made["admin"]).check_password("seven rolling waves")
        with pytest.raises(CommandError, match="Another dojo has this slug"):
            run_command("tenant_create", *given)
    finally:
        erase_dojo(superuser, "made")


def test_tenant_create_refuses_invalid_values(without_transaction: None) -> None:
    with pytest.raises(CommandError, match=r"slug: This slug is reserved"):
        run_command("tenant_create", "admin", "--name", "A", "--admin", "head@example.com")
    with pytest.raises(CommandError, match=r"email: Enter a valid"):
        run_command("tenant_create", "fine", "--name", "A", "--admin", "not-an-address")


@pytest.mark.parametrize(
    ("name", "option", "values"),
    [
        ("tenant_check", "--workers", ("0", "-1", "many")),
        ("migrate_fleet", "--workers", ("0",)),
        ("migrate_fleet", "--lock-timeout", ("0", "-1", "nan", "inf", "soon")),
        ("migrate_fleet", "--statement-timeout", ("0", "1e9")),
    ],
)
def test_an_invalid_option_is_named(name: str, option: str, values: tuple[str, ...]) -> None:
    for value in values:
        with pytest.raises(CommandError, match=option):
            run_command(name, f"{option}={value}")


def test_the_shell_is_in_the_scope_of_one_dojo(
    north: TenantScope, south: TenantScope, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "from tatami.tenancy.scope import current_tenant; print(current_tenant().slug)"
    for name in ("south", str(south.tenant_id)):
        run_command("tenant_shell", name, "--command", code)
        assert capsys.readouterr().out.strip() == "south"


def test_an_unknown_dojo_is_an_error(without_transaction: None) -> None:
    for name in ("tenant_shell", "tenant_check"):
        with pytest.raises(CommandError, match="There is no dojo nowhere"):
            run_command(name, "nowhere")


def test_a_lost_database_connection_is_reported_in_one_line(
    north: TenantScope, superuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """During the creation of a dojo: the sweeper removes what was created."""

    def lose_connection(*_: Any) -> None:
        terminate_owner_sessions(superuser)
        with owner_connection("public") as owner, owner.cursor() as cursor:
            cursor.execute("SELECT 1")

    monkeypatch.setattr(provisioning.ddl, "build_schema", lose_connection)
    with pytest.raises(
        CommandError, match=r"The database is not available \(.+\)\. Run this command again\."
    ):
        run_command("tenant_create", "fleeting", "--name", "F", "--admin", "head@example.com")
    monkeypatch.undo()
    with platform_scope():
        remove_incomplete_tenants()
        assert not Tenant.objects.filter(slug="fleeting").exists()
