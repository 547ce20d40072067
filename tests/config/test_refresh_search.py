"""`manage.py refresh_search` rewrites the search columns that an earlier version wrote."""

from io import StringIO
from typing import Any

import orjson
from django.core.management import call_command

from shared_apps.accounts.models import User
from shared_apps.tenants.models import Tenant
from tatami.tenancy.scope import platform_scope, tenant_scope
from tenant_apps.classes.models import TrainingClass
from tenant_apps.students.models import Guardian, Student
from tests.classes import factories


def refresh(*dojos: str) -> dict[str, int]:
    output = StringIO()
    with platform_scope():
        call_command("refresh_search", *dojos, "--json", stdout=output)
    found: dict[str, int] = orjson.loads(output.getvalue())
    return found


def test_rows_of_an_earlier_version_are_found_again(dojo: Any, other_dojo: Any) -> None:
    """The earlier version kept apostrophes and hyphens."""
    guardian = {"name": "Máire O’Brien", "relation": "mother"}
    for one in (dojo, other_dojo):
        one.create("/students", {"first_name": "Ann-Marie", "last_name": "O’Brien", "guardians": [guardian]})
        one.create("/students", {"first_name": "Ren", "last_name": "Sato"})
        with tenant_scope(one.tenant):
            Student.objects.filter(first_name="Ann-Marie").update(search_name="ann-marie o’brien")
            Guardian.objects.update(search_name="maire o’brien")
    assert dojo.admin.get("/students?search=o'brien").json()["count"] == 0
    with tenant_scope(dojo.tenant):
        before = Student.objects.get(first_name="Ann-Marie").updated_at
    assert refresh(dojo.tenant.slug) == {dojo.tenant.slug: 2}
    for search in ("o'brien", "OBrien", "ann marie", "O\u02bcBrien"):
        assert dojo.admin.get(f"/students?search={search}").json()["count"] == 1
    assert dojo.admin.get("/guardians?search=o'brien").json()["count"] == 1
    with tenant_scope(dojo.tenant):
        assert Student.objects.get(first_name="Ann-Marie").updated_at == before
    assert other_dojo.admin.get("/students?search=o'brien").json()["count"] == 0
    assert refresh()[other_dojo.tenant.slug] == 2
    assert set(refresh().values()) == {0}


def test_every_search_column_is_refreshed(dojo: Any) -> None:
    models = [User, Student, Guardian, TrainingClass]
    person = {"first_name": "A", "last_name": "B", "preferred_name": "O’B", "guardians": [{"name": "C"}]}
    dojo.create("/students", person)
    factories.create_class(dojo)
    with tenant_scope(dojo.tenant):
        for model in models:
            assert model.objects.exists()
            model.objects.update(search_name="outdated")
        Student.objects.update(preferred_search="outdated")
    with platform_scope():
        Tenant.objects.filter(pk=dojo.tenant.tenant_id).update(search_name="outdated")
    refresh()
    with tenant_scope(dojo.tenant):
        assert not [model for model in models if model.objects.filter(search_name="outdated").exists()]
        assert Student.objects.get().preferred_search == "ob"
    with platform_scope():
        assert Tenant.objects.get(pk=dojo.tenant.tenant_id).search_name != "outdated"
