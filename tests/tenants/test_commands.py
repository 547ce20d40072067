"""The commands for people on call, as they are typed."""

import sys
from io import StringIO
from typing import Any

import orjson
import pytest
from django.core.management import CommandError, call_command, load_command_class

from shared_apps.accounts.models import User
from shared_apps.tenants import provisioning
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import clear_abandoned
from shared_apps.tenants.schemas import owner_in
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.support.committed_dojos import end_sessions_of_the_owner, erase_dojo

COMMANDS = (
    "tenant_list",
    "tenant_create",
    "tenant_check",
    "tenant_shell",
    "migrate_fleet",
    "lint_migrations",
)


def typed(name: str, *args: str, **options: Any) -> str:
    """Run a command; return what it printed."""
    out = StringIO()
    with platform_scope():
        call_command(name, *args, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def typed_json(name: str, *args: str) -> Any:
    return orjson.loads(typed(name, *args, "--json"))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example(name: str) -> None:
    text = load_command_class("shared_apps.tenants", name).create_parser("manage.py", name).format_help()
    assert f"example:\n  manage.py {name}" in text
    assert ("--json" in text) == (name != "tenant_shell")


def test_the_list_shows_every_dojo(north: TenantScope, south: TenantScope) -> None:
    listed = {row["slug"]: row for row in typed_json("tenant_list")}
    assert {"aiki", "kendo", "north", "south"} <= set(listed)
    assert listed["north"]["id"] == str(north.tenant_id)
    assert (listed["north"]["status"], listed["north"]["version"]) == ("active", "current")
    assert "north.localhost" in typed("tenant_list", "--search", "north")


def test_the_list_is_narrowed(north: TenantScope) -> None:
    assert typed_json("tenant_list", "--status", "suspended") == []
    assert [row["slug"] for row in typed_json("tenant_list", "--search", "nort")] == ["north"]
    assert typed_json("tenant_list", "--not-current") == []


def test_a_dojo_that_is_behind_is_listed_as_such(north: TenantScope, superuser: Any) -> None:
    update = "UPDATE tenants_tenant SET schema_version = %s WHERE slug = 'north' RETURNING schema_version"
    with platform_scope():
        before = Tenant.objects.get(slug="north").schema_version
    try:
        for version, words in (("dojo.0001_initial", "too far behind"), (f"{before},dojo.9999_x", "ahead")):
            superuser.execute(update, [version])
            assert [row["version"] for row in typed_json("tenant_list", "--not-current")] == [words]
    finally:
        superuser.execute(update, [before])


def test_a_whole_fleet_passes_the_check(north: TenantScope) -> None:
    checked = typed_json("tenant_check", "north", str(north.tenant_id))
    assert (checked["checked"], checked["broken"]) == (2, 0)
    assert checked["dojos"][0]["tables"] > 0
    assert "0 with faults" in typed("tenant_check", "north")


FAULTS = {
    "ALTER TABLE {}.students_student DISABLE ROW LEVEL SECURITY": "lacks row level security",
    "DELETE FROM {}.django_migrations WHERE app = 'promotions'": "is behind: lacks promotions.0001_initial",
    "DROP TABLE {}.students_studentnote CASCADE": "lacks tables",
}


@pytest.mark.parametrize(("harm", "fault"), FAULTS.items())
def test_a_fault_is_named(harm: str, fault: str, superuser: Any, without_transaction: None) -> None:
    try:
        typed("tenant_create", "broken", "--name", "Broken", "--admin", "head@example.com")
        with platform_scope():
            schema = Tenant.objects.get(slug="broken").schema_name
        superuser.execute(harm.format(schema))
        out = StringIO()
        with platform_scope(), pytest.raises(SystemExit) as exit_:
            call_command("tenant_check", "broken", "aiki", stdout=out, stderr=StringIO())
        assert exit_.value.code == 1
        assert fault in out.getvalue()
        assert "2 dojos checked, 1 with faults" in out.getvalue()
    finally:
        erase_dojo(superuser, "broken")


def test_a_dojo_is_made(without_transaction: None, superuser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO("seven rolling waves\n"))
    given = ("made", "--name", "Made", "--timezone", "Europe/Berlin", "--admin", "head@example.com")
    try:
        made = typed_json("tenant_create", *given, "--password-stdin")
        assert made["host"] == "made.localhost"
        with platform_scope():
            tenant = Tenant.objects.get(pk=made["id"])
        assert (tenant.status, tenant.timezone) == ("active", "Europe/Berlin")
        with tenant_scope(tenant):
            assert User.objects.get(pk=made["admin"]).check_password("seven rolling waves")
        with pytest.raises(CommandError, match="Another dojo has this slug"):
            typed("tenant_create", *given)
    finally:
        erase_dojo(superuser, "made")


def test_nonsense_makes_no_dojo(without_transaction: None) -> None:
    with pytest.raises(CommandError, match=r"slug: This slug is reserved"):
        typed("tenant_create", "admin", "--name", "A", "--admin", "head@example.com")
    with pytest.raises(CommandError, match=r"email: Enter a valid"):
        typed("tenant_create", "fine", "--name", "A", "--admin", "nobody")


@pytest.mark.parametrize(
    ("name", "option", "values"),
    [
        ("tenant_check", "--workers", ("0", "-1", "many")),
        ("migrate_fleet", "--workers", ("0",)),
        ("migrate_fleet", "--lock-timeout", ("0", "-1", "nan", "inf", "soon")),
        ("migrate_fleet", "--statement-timeout", ("0", "1e9")),
    ],
)
def test_an_option_that_is_nonsense_is_named(name: str, option: str, values: tuple[str, ...]) -> None:
    for value in values:
        with pytest.raises(CommandError, match=option):
            typed(name, f"{option}={value}")


def test_the_shell_is_in_one_dojo(
    north: TenantScope, south: TenantScope, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "from tatami.tenancy.scope import current_tenant; print(current_tenant().slug)"
    for name in ("south", str(south.tenant_id)):
        typed("tenant_shell", name, "--command", code)
        assert capsys.readouterr().out.strip() == "south"


def test_a_dojo_that_is_not_there_is_said_to_be_so(without_transaction: None) -> None:
    for name in ("tenant_shell", "tenant_check"):
        with pytest.raises(CommandError, match="There is no dojo nowhere"):
            typed(name, "nowhere")


def test_a_database_that_goes_away_is_told_in_a_line(
    north: TenantScope, superuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a dojo is made: what was made is for the sweeper."""

    def away(*_: Any) -> None:
        end_sessions_of_the_owner(superuser)
        with owner_in("public") as owner, owner.cursor() as cursor:
            cursor.execute("SELECT 1")

    monkeypatch.setattr(provisioning.schemas, "build_schema", away)
    with pytest.raises(CommandError, match=r"The database went away \(.+\)\. Run this again\."):
        typed("tenant_create", "fleeting", "--name", "F", "--admin", "head@example.com")
    monkeypatch.undo()
    with platform_scope():
        clear_abandoned()
        assert not Tenant.objects.filter(slug="fleeting").exists()
