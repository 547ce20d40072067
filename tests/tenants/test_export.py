"""An archive: what is in it, what is not, and that it is the dojo of one moment."""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

from django.db import models

from shared_apps.tenants.exports.contents import copied_out
from shared_apps.tenants.exports.manifest import decoded
from shared_apps.tenants.exports.rules import LEFT_OUT, MADE_ANEW
from shared_apps.tenants.exports.snapshot import snapshot_of
from shared_apps.tenants.exports.states import state_at
from shared_apps.tenants.models import Tenant
from tatami.tenancy.scope import TenantScope
from tests.support.catalogue import tenant_models
from tests.tenants.archives import LOGO, archive_of, contents, files, full, live

__all__ = ["files", "full", "live"]

SECRET = re.compile(r"hash|token|secret|password|code|key|check_in_id|answer")
KEPT_SECRETS = {
    "accounts_user.email_key": "an address, to be compared",
    "accounts_user.password": "a hash with a salt of its own: people sign in as before",
    "attendance_card.code": "means something in a code alone that is sealed with the dojo's key",
    "attendance_refusal.code": "the name of a refusal",
    "students_student.check_in_id": "means something in a code alone that is sealed with the dojo's key",
    "notifications_address.key": "a hash of an address and of the dojo's id",
    "notifications_delivery.address_key": "a hash of an address and of the dojo's id",
    "promotions_batchitem.answers": "what the engine said",
    "promotions_certificate.code": "printed on papers, which stay true",
    "ranks_rank.code": "a rank's own name",
}


def test_a_round_trip_of_reading_gives_the_same_archive(live: TenantScope) -> None:
    first, second = archive_of(live), archive_of(live)
    assert contents(first[1]) == contents(second[1])
    assert first[0] == second[0]


def test_every_table_has_rows_to_be_tested_with(live: TenantScope) -> None:
    _, manifest = archive_of(live)
    assert [entry.name for entry in manifest.entries if not entry.content.rows] == []


def test_an_archive_says_what_is_in_it(live: TenantScope) -> None:
    archive, manifest = archive_of(live)
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        assert packed.testzip() is None
        said = json.loads(packed.read("manifest.json"))
        (settings,) = [one for one in said["tables"] if one["name"] == "dojo_dojosettings"]
        lines = packed.read("tables/dojo_dojosettings.tsv").decode().splitlines()
        assert packed.read("files/logo-1") == LOGO
    assert said["tenant"]["id"] == str(live.tenant_id)
    assert (settings["rows"], len(lines)) == (1, 1)
    row = dict(zip(settings["columns"], lines[0].split("\t"), strict=True))
    assert row["logo"] == "logo-1"
    assert not {"id", "tenant_id"} & row.keys()
    assert manifest.rows == sum(one["rows"] for one in said["tables"])


def test_nothing_in_an_archive_names_the_dojo_but_its_manifest(live: TenantScope) -> None:
    """Apart from the audit, which says of which object a deed was."""
    with zipfile.ZipFile(io.BytesIO(archive_of(live)[0])) as packed:
        naming = {name for name in packed.namelist() if str(live.tenant_id).encode() in packed.read(name)}
    assert naming <= {"manifest.json", "tables/accounts_auditentry.tsv"}


def test_no_secret_travels_that_nobody_thought_of(live: TenantScope) -> None:
    state = state_at(Tenant.objects.get(pk=live.tenant_id).schema_version)
    suspicious = {
        f"{model._meta.db_table}.{field.column}"
        for model in tenant_models()
        for field in model._meta.local_concrete_fields
        if SECRET.search(field.column) or isinstance(field, models.BinaryField)
    }
    travelling = {f"{table.name}.{column}" for table in state.tables.values() for column in table.columns}
    assert suspicious & travelling <= KEPT_SECRETS.keys()


def test_rules_are_about_what_is_there() -> None:
    tables = {model._meta.db_table: model for model in tenant_models()}
    assert LEFT_OUT.keys() <= tables.keys()
    for table, columns in MADE_ANEW.items():
        assert columns.keys() <= {field.column for field in tables[table]._meta.local_concrete_fields}


def test_the_page_about_the_format_names_what_stays_behind() -> None:
    page = (Path(__file__).parents[2] / "docs" / "export-format.md").read_text(encoding="utf-8")
    for name in {*LEFT_OUT, *MADE_ANEW, *(column for columns in MADE_ANEW.values() for column in columns)}:
        assert name in page


def test_the_example_of_that_page_is_a_manifest() -> None:
    page = (Path(__file__).parents[2] / "docs" / "export-format.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    manifest = decoded(example.replace("…", "a" * 64, 1).replace("…", "b" * 64).encode())
    assert manifest.source.slug == "kita"


def test_nothing_that_travels_refers_to_what_stays_behind() -> None:
    referring = {
        (model._meta.db_table, field.related_model._meta.db_table)
        for model in tenant_models()
        for field in model._meta.local_fields
        if field.is_relation and model._meta.db_table not in LEFT_OUT
    }
    assert not {to for _, to in referring} & LEFT_OUT.keys()


def test_what_is_written_meanwhile_is_not_in_it(live: TenantScope, superuser: Any) -> None:
    """All tables are of one moment: the one at which the first row was read."""
    _, before = archive_of(live)
    table = f'"{live.schema_name}".students_studentnote'
    written: list[Any] = []

    def write(rows: int) -> None:
        if not written:
            written.append(superuser.execute(f"UPDATE {table} SET text = text || '!'"))

    _, meanwhile = archive_of(live, write)
    assert contents(meanwhile) == contents(before)
    _, after = archive_of(live)
    assert contents(after)["students_studentnote"] != contents(before)["students_studentnote"]
    superuser.execute(f"UPDATE {table} SET text = rtrim(text, '!')")


def test_another_dojos_rows_cannot_be_read(live: TenantScope) -> None:
    """The policy holds for COPY, too: with another dojo's id in force a schema has no rows."""
    tenant = Tenant.objects.with_primary_domain().get(pk=live.tenant_id)
    other = Tenant.objects.with_primary_domain().get(slug="kendo")
    tenant.schema_name = other.schema_name
    with snapshot_of(tenant) as (raw, state):
        copied = [b"".join(copied_out(raw, one.copy_out(one.columns))) for one in state.tables.values()]
    assert copied == [b""] * len(state.tables)
