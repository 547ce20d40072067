"""What an archive contains, what it does not, and that it shows the dojo at one moment."""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.db import models

from shared_apps.tenants.exports.export_policy import EXCLUDED_TABLES, REGENERATED_COLUMNS
from shared_apps.tenants.exports.manifest import parse_manifest
from shared_apps.tenants.exports.schema_state import state_at
from shared_apps.tenants.exports.snapshot import copy_blocks, open_snapshot
from shared_apps.tenants.models import Tenant
from tatami.tenancy.scope import TenantScope
from tests.support.catalogue import tenant_models
from tests.tenants.archives import LOGO, archive_of, contents, files, full, live

pytestmark = pytest.mark.slow

__all__ = ["files", "full", "live"]

SECRET = re.compile(r"hash|token|secret|password|code|key|check_in_id|answer")
KNOWN_COLUMNS = {
    "accounts_user.email_key": "an e-mail address in a form to compare",
    "accounts_user.password": "a hash with its own salt: users keep their passwords",
    "attendance_card.code": "valid only in a code that is signed with the dojo's key",
    "attendance_refusal.code": "the name of an error",
    "students_student.check_in_id": "valid only in a code that is signed with the dojo's key",
    "notifications_address.key": "a hash of an e-mail address and the dojo's id",
    "notifications_delivery.address_key": "a hash of an e-mail address and the dojo's id",
    "promotions_batchitem.answers": "results of the engine",
    "promotions_certificate.code": "printed on certificates, which stay valid",
    "ranks_rank.code": "the name of a rank",
}


def test_two_exports_of_unchanged_data_are_equal(live: TenantScope) -> None:
    first, second = archive_of(live), archive_of(live)
    assert contents(first[1]) == contents(second[1])
    assert first[0] == second[0]


def test_the_sample_dojo_has_rows_in_every_exported_table(live: TenantScope) -> None:
    _, manifest = archive_of(live)
    assert [entry.name for entry in manifest.entries if not entry.content.rows] == []


def test_the_manifest_describes_the_tables_and_files(live: TenantScope) -> None:
    archive, manifest = archive_of(live)
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        assert packed.testzip() is None
        document = json.loads(packed.read("manifest.json"))
        (settings,) = [one for one in document["tables"] if one["name"] == "dojo_dojosettings"]
        lines = packed.read("tables/dojo_dojosettings.tsv").decode().splitlines()
        assert packed.read("files/logo-1") == LOGO
    assert document["tenant"]["id"] == str(live.tenant_id)
    assert (settings["rows"], len(lines)) == (1, 1)
    row = dict(zip(settings["columns"], lines[0].split("\t"), strict=True))
    assert row["logo"] == "logo-1"
    assert not {"id", "tenant_id"} & row.keys()
    assert manifest.rows == sum(one["rows"] for one in document["tables"])


def test_the_tenant_id_is_only_in_the_manifest_and_the_audit_trail(live: TenantScope) -> None:
    """The audit trail names the object of each action."""
    with zipfile.ZipFile(io.BytesIO(archive_of(live)[0])) as packed:
        with_id = {name for name in packed.namelist() if str(live.tenant_id).encode() in packed.read(name)}
    assert with_id <= {"manifest.json", "tables/accounts_auditentry.tsv"}


def test_every_exported_column_that_looks_like_a_secret_is_known(live: TenantScope) -> None:
    state = state_at(Tenant.objects.get(pk=live.tenant_id).schema_version)
    like_secrets = {
        f"{model._meta.db_table}.{field.column}"
        for model in tenant_models()
        for field in model._meta.local_concrete_fields
        if SECRET.search(field.column) or isinstance(field, models.BinaryField)
    }
    exported = {f"{table.name}.{column}" for table in state.tables.values() for column in table.columns}
    assert like_secrets & exported <= KNOWN_COLUMNS.keys()


def test_the_export_policy_names_existing_tables_and_columns() -> None:
    tables = {model._meta.db_table: model for model in tenant_models()}
    assert EXCLUDED_TABLES.keys() <= tables.keys()
    for table, columns in REGENERATED_COLUMNS.items():
        assert columns.keys() <= {field.column for field in tables[table]._meta.local_concrete_fields}


def test_the_documentation_names_what_is_not_exported() -> None:
    page = (Path(__file__).parents[2] / "docs" / "export-format.md").read_text(encoding="utf-8")
    for name in {
        *EXCLUDED_TABLES,
        *REGENERATED_COLUMNS,
        *(column for columns in REGENERATED_COLUMNS.values() for column in columns),
    }:
        assert name in page


def test_the_example_in_the_documentation_is_a_valid_manifest() -> None:
    page = (Path(__file__).parents[2] / "docs" / "export-format.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    manifest = parse_manifest(example.replace("…", "a" * 64, 1).replace("…", "b" * 64).encode())
    assert manifest.source.slug == "kita"


def test_no_exported_table_refers_to_an_excluded_table() -> None:
    referring = {
        (model._meta.db_table, field.related_model._meta.db_table)
        for model in tenant_models()
        for field in model._meta.local_fields
        if field.is_relation and model._meta.db_table not in EXCLUDED_TABLES
    }
    assert not {to for _, to in referring} & EXCLUDED_TABLES.keys()


def test_an_archive_contains_no_rows_that_were_written_during_the_export(
    live: TenantScope, superuser: Any
) -> None:
    """All tables show the moment at which the first row was read."""
    _, before = archive_of(live)
    table = f'"{live.schema_name}".students_studentnote'
    written: list[Any] = []

    def write(rows: int) -> None:
        if not written:
            written.append(superuser.execute(f"UPDATE {table} SET text = text || '!'"))

    _, concurrent = archive_of(live, write)
    assert contents(concurrent) == contents(before)
    _, after = archive_of(live)
    assert contents(after)["students_studentnote"] != contents(before)["students_studentnote"]
    superuser.execute(f"UPDATE {table} SET text = rtrim(text, '!')")


def test_the_rows_of_another_dojo_cannot_be_exported(live: TenantScope) -> None:
    """Row-level security applies to COPY, too: with the id of another dojo, a schema has no rows."""
    tenant = Tenant.objects.with_primary_domain().get(pk=live.tenant_id)
    other = Tenant.objects.with_primary_domain().get(slug="kendo")
    tenant.schema_name = other.schema_name
    with open_snapshot(tenant) as (raw, state):
        copied = [b"".join(copy_blocks(raw, one.copy_out(one.columns))) for one in state.tables.values()]
    assert copied == [b""] * len(state.tables)
