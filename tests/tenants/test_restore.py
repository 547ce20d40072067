"""Restore a dojo from an archive: all data are there, no old credential is valid, and a failure leaves nothing."""

import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from django.core.files.storage import default_storage
from django.db import connection, connections

from shared_apps.accounts.models import PasswordLink, Role, Session, User
from shared_apps.tenants.exports.restore import RestoreCallbacks, dojo_restored
from shared_apps.tenants.exports.schema_state import state_at
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import FirstAdmin, remove_incomplete_tenants
from shared_apps.tenants.schema import ddl
from shared_apps.tenants.schema.blueprint import blueprint_at
from shared_apps.tenants.schema.versions import can_serve, history
from tatami.ids import uuid7
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tatami.tenancy.seal import verify_seal
from tenant_apps.attendance.models import Device
from tenant_apps.classes.models import CalendarFeed
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.notifications.models import Delivery
from tenant_apps.students.models import Student
from tests.http.sample_dojos import PASSWORD, SampleHost
from tests.support.catalogue import schema_facts
from tests.support.clients import Caller
from tests.support.committed import erase_dojo, superuser_connection
from tests.support.live_server import login_urls
from tests.support.now import NOW
from tests.support.password_mail import send_waiting_password_mails
from tests.support.races import raise_first_error, run_concurrently
from tests.support.responses import assert_error, ok
from tests.support.sizes import small_or_full
from tests.tenants.archives import (
    COPY,
    LOGO,
    archive_of,
    contents,
    files,
    full,
    live,
    nothing,
    nothing_changes,
    restored,
)

pytestmark = pytest.mark.slow

__all__ = ["files", "full", "live"]

ROOT: Final = Path(__file__).resolve().parents[2]
SILENT: Final[dict[str, Any]] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def test_a_restored_dojo_has_the_same_data(live: TenantScope) -> None:
    archive, manifest = archive_of(live)
    copy = restored(archive)
    _, again = archive_of(copy)
    assert contents(again) == contents(manifest)


def test_a_restored_dojo_has_a_new_id_and_a_sealed_schema(live: TenantScope, superuser: Any) -> None:
    copy = restored(archive_of(live)[0], timezone=None)
    assert copy.tenant_id != live.tenant_id
    assert copy.schema_name == f"t_{copy.tenant_id.hex}"
    assert (copy.status, copy.name, copy.timezone) == ("active", "Copy", live.timezone)
    assert schema_facts(superuser, copy.schema_name, copy.tenant_id) == schema_facts(
        superuser, live.schema_name, live.tenant_id
    )
    with ddl.owner_connection(copy.schema_name) as owner, owner.cursor() as cursor:
        verify_seal(cursor, copy.schema_name, copy.tenant_id, ddl.app_login())
    with tenant_scope(copy):
        assert DojoSettings.objects.get().pk == copy.tenant_id
        assert set(Student.objects.values_list("tenant_id", flat=True)) == {copy.tenant_id}


def test_passwords_stay_valid_and_no_other_credential_does(
    live: TenantScope, full: tuple[TenantScope, SampleHost]
) -> None:
    """No token, device, feed, link or code is valid, because the two dojos have different ids and keys."""
    sample, host = full[1], f"{COPY}.localhost"
    copy = restored(archive_of(live)[0])
    for role in ("admin", "device"):
        assert_error(Caller(host, token=sample.callers[role].token).get("/me"), 401, "token_invalid")
    assert_error(Caller(host).post("/auth/refresh", {"refresh": sample.refresh}), 401, "token_invalid")
    assert_error(Caller(host).get(f"/calendar.ics?token={sample.codes['feed']}"), 404, "not_found")
    signed_in = ok(Caller(host).post("/auth/login", {"email": "admin@example.com", "password": PASSWORD}))
    admin = Caller(host, token=signed_in["access"])
    for code in ("student", "session"):
        assert_error(admin.post("/attendance/scan", {"token": sample.codes[code]}), 400, "qr_invalid")
    assert ok(Caller(host).get(f"/certificates/{sample.codes['certificate']}"))["status"] == "genuine"
    with tenant_scope(copy):
        assert PasswordLink.objects.count() == CalendarFeed.objects.count() == 0
        assert Session.objects.count() == 1
        assert set(Device.objects.values_list("token_hash", flat=True)) == {None}
    with tenant_scope(live):
        before = set(Device.objects.values_list("pairing_hash", flat=True))
    with tenant_scope(copy):
        assert not before & set(Device.objects.values_list("pairing_hash", flat=True))


def test_an_erased_student_stays_erased(live: TenantScope, full: tuple[TenantScope, SampleHost]) -> None:
    copy = restored(archive_of(live)[0])
    with tenant_scope(copy):
        erased = Student._base_manager.get(pk=full[1].ids["student of the other family"])
    assert erased.erased_at is not None
    assert (erased.first_name, erased.last_name, erased.email) == ("", "", "")


def test_the_restored_dojo_has_copies_of_the_files(live: TenantScope) -> None:
    copy = restored(archive_of(live)[0])
    with tenant_scope(copy):
        logo = DojoSettings.objects.get().logo
    assert logo == f"{copy.tenant_id}/logo-1"
    with default_storage.open(logo) as kept:
        assert kept.read() == LOGO
    default_storage.delete(logo)
    assert default_storage.exists(f"{live.tenant_id}/logo-1")


def test_queued_mail_is_not_sent_by_the_restored_dojo(live: TenantScope) -> None:
    copy = restored(archive_of(live)[0])
    with tenant_scope(copy):
        assert set(Delivery.objects.values_list("state", flat=True)) == {"skipped", "sent"}
    with tenant_scope(live):
        assert Delivery.objects.filter(state="queued").exists()


def test_the_signal_is_sent_before_the_dojo_is_active(live: TenantScope) -> None:
    received: list[Any] = []

    def listen(previous_id: Any, now: Any, **_: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM students_student")
            received.append((previous_id, now, cursor.fetchone()[0] > 0))

    dojo_restored.connect(listen)
    try:
        restored(archive_of(live)[0])
    finally:
        dojo_restored.disconnect(listen)
    assert received == [(live.tenant_id, NOW, True)]


def test_an_admin_can_be_added(live: TenantScope, mailoutbox: list[Any]) -> None:
    copy = restored(archive_of(live)[0], admin=FirstAdmin(email="new@example.com"))
    with tenant_scope(copy):
        assert User.objects.get(email="new@example.com").role == Role.ADMIN
    send_waiting_password_mails(copy)
    (mail,) = mailoutbox
    assert f"http://{COPY}.localhost" in mail.body


def test_an_existing_user_becomes_an_admin(live: TenantScope) -> None:
    copy = restored(archive_of(live)[0], admin=FirstAdmin(email="Student@example.com", password_hash="!"))
    with tenant_scope(copy):
        assert User.objects.get(email="student@example.com").role == Role.ADMIN


@pytest.mark.parametrize("migrations_before", [1, 12])
def test_an_archive_of_an_earlier_version_is_migrated(
    live: TenantScope, superuser: Any, migrations_before: int
) -> None:
    applied = frozenset(history().plan[:-migrations_before])
    version = history().version(applied)
    tenant_id = uuid7()
    old = Tenant.objects.create(
        id=tenant_id, schema_name=f"t_{tenant_id.hex}", slug="old", name="Old", timezone="UTC"
    )
    try:
        ddl.build_schema(old.schema_name, old.pk, blueprint_at(applied))
        old.status, old.schema_version = Tenant.Status.ACTIVE, version
        old.save()
        with connections["owner"].cursor() as cursor:
            connections["owner"].set_schema(old.schema_name)
            cursor.execute(
                "INSERT INTO accounts_user (id, created_at, updated_at, password, email, email_key, name, search_name,"
                " role, is_active) VALUES (%s, now(), now(), '!', 'a@b.c', 'a@b.c', 'Old', 'old', 'admin', true)",
                [uuid7()],
            )
        archive, manifest = archive_of(old.scope)
        assert manifest.version == version
        copy = restored(archive)
    finally:
        erase_dojo(superuser, "old")
    tenant = Tenant.objects.get(pk=copy.tenant_id)
    assert can_serve(tenant.schema_version)
    assert schema_facts(superuser, copy.schema_name, copy.tenant_id) == schema_facts(
        superuser, live.schema_name, live.tenant_id
    )
    with tenant_scope(copy):
        assert User.objects.get().name == "Old"


def test_a_taken_slug_leaves_nothing(live: TenantScope, superuser: Any) -> None:
    archive, _ = archive_of(live)
    with nothing_changes(superuser), pytest.raises(Exception, match="slug"):
        restored(archive, slug=live.slug)


def test_an_interrupted_restore_leaves_nothing(live: TenantScope, superuser: Any) -> None:
    def interrupt(rows: int) -> None:
        raise KeyboardInterrupt

    archive, _ = archive_of(live)
    for callbacks in (
        RestoreCallbacks(nothing, interrupt, nothing),
        RestoreCallbacks(nothing, nothing, interrupt),
    ):
        with nothing_changes(superuser), pytest.raises(KeyboardInterrupt):
            restored(archive, callbacks=callbacks)


def test_an_abandoned_restore_is_not_served_and_is_cleared(
    live: TenantScope, superuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill, nothing is undone, and the lock has ended with the connection."""
    archive, _ = archive_of(live)
    with nothing_changes(superuser):
        seen: list[tuple[int, str]] = []

        def stop(rows: int) -> None:
            with superuser_connection(superuser.info.dbname) as other:
                row = other.execute("SELECT status FROM public.tenants_tenant WHERE slug = %s", [COPY])
                seen.append((rows, row.fetchone()[0]))
            raise KeyboardInterrupt

        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr("shared_apps.tenants.provisioning.undo_creation", lambda tenant: None)
            restored(archive, callbacks=RestoreCallbacks(nothing, stop, nothing))
        assert [status for _, status in seen] == ["provisioning"]
        assert_error(Caller(f"{COPY}.localhost").get("/me"), 404, "tenant_not_found")
        connections.close_all()
        with platform_scope():
            assert remove_incomplete_tenants() == 1


def test_what_a_killed_process_leaves_is_cleared(
    live: TenantScope, superuser: Any, database_name: str, tmp_path: Path
) -> None:
    archive = tmp_path / "full.zip"
    archive.write_bytes(archive_of(live)[0])
    command = [sys.executable, "manage.py", "tenant_restore", str(archive), "--slug", COPY]
    with nothing_changes(superuser):
        with superuser_connection(database_name) as holding, superuser_connection(database_name) as looking:
            process = subprocess.Popen(command, cwd=ROOT, env=environment_of(database_name), **SILENT)
            try:
                while status_of(looking) is None:
                    assert process.poll() is None
                    time.sleep(0.002)
                holding.execute(
                    "BEGIN; UPDATE public.tenants_routingepoch SET value = value"
                )  # the process needs this row
                wait_until(lambda: has_users(looking), "the dojo is filled")
            finally:
                process.kill()
                process.wait()
            assert status_of(looking) == "provisioning"
            holding.execute("ROLLBACK")
        with platform_scope():
            wait_until(
                lambda: remove_incomplete_tenants() == 1,
                "the server has ended the session of the killed process",
            )


def status_of(superuser: Any) -> str | None:
    row = superuser.execute("SELECT status FROM public.tenants_tenant WHERE slug = %s", [COPY]).fetchone()
    return row[0] if row else None


def has_users(superuser: Any) -> bool:
    """Return whether the schema of the copy was committed."""
    found = superuser.execute(
        "SELECT to_regclass(schema_name || '.accounts_user') IS NOT NULL FROM public.tenants_tenant WHERE slug = %s",
        [COPY],
    )
    return bool(found.fetchone()[0])


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < until, f"waited for 120 s until {what}"
        time.sleep(0.01)


def environment_of(database: str) -> dict[str, str]:
    """Return the environment of a process that uses the test database."""
    folder = Path(default_storage.location).as_uri()
    return {**os.environ, **login_urls(database), "TATAMI_STORAGE_URL": folder}


def test_a_running_restore_is_not_cleared(live: TenantScope) -> None:
    cleared: list[Any] = []

    def clear(rows: int) -> None:
        if not cleared:
            cleared.extend(run_concurrently([remove_incomplete_tenants]))

    copy = restored(archive_of(live)[0], callbacks=RestoreCallbacks(nothing, clear, nothing))
    raise_first_error(cleared)
    assert cleared == [0]
    assert copy.status == "active"


@small_or_full("number_of_rows", small=12_000, full=100_000)
def test_memory_does_not_grow_with_the_number_of_rows(
    live: TenantScope, superuser: Any, number_of_rows: int
) -> None:
    """The notes of a thousand characters need more memory together than the process may use."""
    table = f'"{live.schema_name}".students_studentnote'
    columns = "created_at, updated_at, student_id, author_id"
    superuser.execute(
        f"INSERT INTO {table} (id, text, {columns}) SELECT gen_random_uuid(), repeat('x', 1000) || n, {columns} "
        f"FROM (SELECT * FROM {table} LIMIT 1) one, generate_series(1, {number_of_rows}) n"
    )
    try:
        archive_of(live)
        tracemalloc.start()
        archive, manifest = archive_of(live)
        restored(archive)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    finally:
        superuser.execute(f"DELETE FROM {table} WHERE length(text) > 900")
    assert sum(entry.content.length for entry in manifest.entries) > 1_000 * number_of_rows
    assert peak < 8_000_000


@pytest.mark.django_db(databases=["default", "owner"])
def test_creating_tables_and_adding_constraints_is_the_whole_blueprint() -> None:
    """Loading rows between the two parts of the blueprint leaves out no statement."""
    state = state_at(history().version(history().required))
    assert [*state.create_tables, *state.add_constraints] == [*state.blueprint.statements]
