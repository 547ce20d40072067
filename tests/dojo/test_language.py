"""A dojo's language: errors, messages and pages that people read are in it, and only in this dojo."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext, trans_real

from config import catalogues
from config.catalogues import AppCatalogue, all_catalogues, extracted
from shared_apps.tenants.exports.restore import dojo_restored
from shared_apps.tenants.models import Tenant
from tatami import clock
from tatami.errors import NotFound
from tatami.tenancy.scope import platform_scope, tenant_scope
from tatami.tenancy.tenant_registry import tenant_registry
from tenant_apps.dojo.dates import long_date
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.dojo.services import get_or_create_settings
from tests.promotions.factories import GradedDojo
from tests.support.clients import Caller, Dojo, Platform
from tests.support.responses import assert_error, assert_invalid, ok


def speak(dojo: Dojo, language: str) -> None:
    ok(dojo.admin.patch("/settings", {"language": language}))


def message(caller: Caller, path: str) -> str:
    return caller.get(path).json()["error"]["message"]


def test_errors_are_in_the_language_of_the_dojo(dojo: Dojo, other_dojo: Dojo, platform: Platform) -> None:
    assert message(dojo.admin, "/students/nothing") == "There is nothing here, or nothing that you may see."
    speak(dojo, "pt-br")
    assert message(dojo.admin, "/students/nothing") == "Não há nada aqui, ou nada que você possa ver."
    assert message(dojo.anonymous, "/students") == "É preciso entrar com uma conta."
    refused = dojo.instructor.post("/users", {})
    assert_error(refused, 403, "permission_denied")
    assert refused.json()["error"]["message"] == "Seu perfil não permite isto."
    english = "There is nothing here, or nothing that you may see."
    assert message(other_dojo.admin, "/students/nothing") == english
    assert message(platform.superadmin(), "/tenants/nothing") == english


def test_field_errors_are_in_the_language_of_the_dojo(dojo: Dojo) -> None:
    speak(dojo, "pt-br")
    details = assert_invalid(dojo.admin.post("/disciplines", {}), "name")
    assert details == {"name": ["Este campo é obrigatório."]}


def test_conflicts_are_in_the_language_of_the_dojo(dojo: Dojo) -> None:
    speak(dojo, "pt-br")
    dojo.create("/disciplines", {"name": "Aikido"})
    refused = dojo.admin.post("/disciplines", {"name": "Aikido"})
    assert_error(refused, 409, "conflict")
    assert refused.json()["error"]["message"] == "Este nome já está em uso."


def test_the_language_ends_with_the_scope(dojo: Dojo) -> None:
    speak(dojo, "pt-br")
    tenant = tenant_registry().find_tenant_by_id(dojo.tenant.tenant_id)
    assert tenant is not None
    with platform_scope():
        assert NotFound().message.startswith("There is nothing")
    with tenant_scope(tenant):
        assert translation.get_language() == "pt-br"
        assert NotFound().message.startswith("Não há nada")
    assert translation.get_language() == "en"


def test_jobs_write_in_the_language_of_the_dojo(dojo: Dojo) -> None:
    speak(dojo, "pt-br")
    tenant = tenant_registry().find_tenant_by_id(dojo.tenant.tenant_id)
    assert tenant is not None
    school = GradedDojo(Dojo(tenant, dojo.people))
    batch = school.create_batch(school.ready)
    body = {"student": school.ready["id"], "target_rank": school.rank("yellow")}
    ok(dojo.instructor.post("/promotions", body), 201)
    school.process_batches()
    (item,) = ok(dojo.admin.get(f"{batch['url']}/results"))["results"]
    assert item["error"]["code"] == "already_awarded"
    assert item["error"]["message"].startswith("O aluno recebeu Yellow neste dia.")


def test_a_restored_dojo_speaks_its_language(dojo: Dojo, django_capture_on_commit_callbacks: Any) -> None:
    with tenant_scope(dojo.tenant):
        get_or_create_settings()
        DojoSettings.objects.update(language="pt-br")
        with django_capture_on_commit_callbacks(execute=True):
            dojo_restored.send(sender=Tenant, previous_id=dojo.tenant.tenant_id, now=clock.now())
    tenant = tenant_registry().find_tenant_by_id(dojo.tenant.tenant_id)
    assert tenant is not None
    assert tenant.language == "pt-br"


@pytest.mark.parametrize("language", ["de", "ja", "xx", ""])
def test_a_language_without_catalogues_is_refused(dojo: Dojo, language: str) -> None:
    assert_invalid(dojo.admin.patch("/settings", {"language": language}), "language")


@pytest.mark.parametrize(("language", "date"), [("de", "27. Juni 2026"), ("ja", "2026年6月27日")])
def test_a_catalogue_is_all_that_a_prepared_language_needs(
    dojo: Dojo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str, date: str
) -> None:
    write_catalogue(tmp_path, language)
    monkeypatch.setattr(settings, "LOCALE_PATHS", [tmp_path, *settings.LOCALE_PATHS])
    monkeypatch.setattr(trans_real, "_translations", {})
    speak(dojo, language)
    assert message(dojo.admin, "/students/nothing") == "[There is nothing here, or nothing that you may see.]"
    mail = ok(dojo.admin.get("/notification-templates/exam_invitation"))
    assert (mail["language"], mail["subject"]) == (language, "[Invitation: {{ exam }}, {{ date }}]")
    with translation.override(language):
        assert gettext("This class session is full.") == "[This class session is full.]"
        assert long_date(dt.date(2026, 6, 27), language) == date  # type: ignore[arg-type]


def write_catalogue(folder: Path, language: str) -> None:
    """Write one catalogue with every text of the product in brackets."""
    merged: dict[Any, Any] = {}
    catalog = catalogues._empty(language)
    for app in dict.fromkeys(one.app for one in all_catalogues()):
        for text in extracted(app):
            if (text.id, text.context) not in merged:
                merged[text.id, text.context] = True
                bracketed = (
                    tuple(f"[{one}]" for one in text.id) if isinstance(text.id, tuple) else f"[{text.id}]"
                )
                catalog.add(text.id, bracketed, context=text.context)
    target = AppCatalogue(folder, language)
    path = folder / target.mo.relative_to(folder / "locale")
    path.parent.mkdir(parents=True)
    path.write_bytes(catalogues._mo_bytes(catalog))
