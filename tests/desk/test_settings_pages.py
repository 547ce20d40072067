"""Settings of awards, of characters on papers, and of the identity provider."""

import re
from typing import Any

import pytest

from tests.support.clients import Caller, Dojo
from tests.support.pages import Visitor, text_of, visitor
from tests.support.responses import assert_error, ok

CERTIFICATES = "/desk/settings/certificates"
SIGN_IN = "/desk/settings/sign-in"
PROVIDER = {"issuer": "https://login.example.com", "client_id": "tatami", "is_enabled": "on"}
QUIET = {"mail": False, "certificate": False, "needs_exam": False}


def checked(page: Any) -> set[str]:
    """Return the names of the check boxes that are ticked."""
    return set(re.findall(r'type="checkbox" name="([^"]+)"[^>]* checked', page.content.decode()))


def settings(dojo: Dojo) -> dict[str, Any]:
    found: dict[str, Any] = ok(dojo.admin.get("/settings"))
    return found


# --- awards and papers ----------------------------------------------------------------------------------------


def test_the_matrix_shows_and_saves_what_an_award_brings_with_it(dojo: Dojo) -> None:
    desk = visitor(dojo, "admin")
    assert checked(desk.get(CERTIFICATES)) == {
        "award_policies-rank-mail",
        "award_policies-rank-certificate",
        "award_policies-title-mail",
        "award_policies-title-certificate",
    }
    values = {
        "award_policies": "shown",
        "award_policies-rank-needs_exam": "on",
        "award_policies-sub_rank-mail": "on",
        "chinese_characters": "korean",
        "certificate_title": "Diploma",
    }
    assert desk.post(CERTIFICATES, values)["Location"] == CERTIFICATES
    saved = settings(dojo)
    assert saved["award_policies"] == {
        "rank": {**QUIET, "needs_exam": True},
        "sub_rank": {**QUIET, "mail": True},
        "title": QUIET,
    }
    assert (saved["chinese_characters"], saved["certificate_title"]) == ("korean", "Diploma")
    page = desk.get(CERTIFICATES)
    assert checked(page) == {"award_policies-rank-needs_exam", "award_policies-sub_rank-mail"}
    assert '<option value="korean" selected>' in page.content.decode()


def test_a_form_without_the_matrix_leaves_the_policies_alone(dojo: Dojo) -> None:
    before = settings(dojo)["award_policies"]
    assert visitor(dojo, "admin").post(CERTIFICATES, {"certificate_title": "Diploma"}).status_code == 302
    assert settings(dojo)["award_policies"] == before


def test_a_fault_elsewhere_keeps_what_was_ticked(dojo: Dojo) -> None:
    values = {
        "award_policies": "shown",
        "award_policies-title-mail": "on",
        "certificate_number": "KITA-{nonsense}",
    }
    refused = visitor(dojo, "admin").post(CERTIFICATES, values)
    assert refused.status_code == 400
    assert 'id="id_certificate_number_error"' in refused.content.decode()
    assert checked(refused) == {"award_policies-title-mail"}
    unknown = visitor(dojo, "admin").post(CERTIFICATES, {"chinese_characters": "klingon"})
    assert unknown.status_code == 400
    assert 'id="id_chinese_characters_error"' in unknown.content.decode()


@pytest.mark.parametrize("role", ["instructor", "assistant"])
def test_staff_read_the_matrix_and_cannot_change_it(dojo: Dojo, role: str) -> None:
    desk = visitor(dojo, role)
    assert "<fieldset disabled>" in desk.get(CERTIFICATES).content.decode()
    assert desk.post(CERTIFICATES, {"award_policies": "shown"}).status_code == 403
    assert settings(dojo)["award_policies"]["rank"]["mail"] is True


# --- the identity provider ------------------------------------------------------------------------------------


def provider(caller: Caller) -> dict[str, Any]:
    found: dict[str, Any] = ok(caller.get("/identity-provider"))
    return found


def saved(desk: Visitor, **changes: str) -> Any:
    """Save the provider with changes; a field that is empty is sent as a browser does."""
    answer = desk.post(SIGN_IN, {name: value for name, value in {**PROVIDER, **changes}.items() if value})
    assert answer.status_code == 302, text_of(answer)
    return answer


def test_the_redirect_uri_is_shown_before_there_is_a_provider(dojo: Dojo) -> None:
    page = visitor(dojo, "admin").get(SIGN_IN).content.decode()
    assert f'value="http://{dojo.host}:8000/auth/oidc/callback"' in page
    assert "Delete the provider" not in page
    assert f'href="{SIGN_IN}"' in visitor(dojo, "admin").get("/desk/settings").content.decode()
    assert f'href="{SIGN_IN}"' not in visitor(dojo, "instructor").get("/desk/settings").content.decode()


def test_a_provider_is_set_and_its_secret_is_never_shown_again(dojo: Dojo) -> None:
    desk = visitor(dojo, "admin")
    saved(desk, client_secret="s3cr3t-of-kita", email_domains="Example.com, example.org\nexample.org;")
    found = provider(dojo.admin)
    assert found["email_domains"] == ["example.com", "example.org"]
    assert (found["issuer"], found["client_id"], found["is_enabled"], found["has_client_secret"]) == (
        PROVIDER["issuer"],
        "tatami",
        True,
        True,
    )
    page = desk.get(SIGN_IN)
    assert "s3cr3t" not in page.content.decode()
    assert "One is stored" in text_of(page)
    assert "example.com\nexample.org" in page.content.decode()
    assert "Sign in with login.example.com" in text_of(visitor(dojo).get("/sign-in"))


def test_an_empty_secret_keeps_the_stored_one_of_the_same_issuer_only(dojo: Dojo) -> None:
    desk = visitor(dojo, "admin")
    saved(desk, client_secret="s3cr3t")
    saved(desk, client_id="other")
    assert provider(dojo.admin)["has_client_secret"] is True
    saved(desk, issuer="https://other.example.com")
    assert provider(dojo.admin)["has_client_secret"] is False
    assert "Enter the new one" in text_of(desk.get(SIGN_IN))


def test_a_public_client_has_no_secret(dojo: Dojo) -> None:
    desk = visitor(dojo, "admin")
    saved(desk, client_secret="s3cr3t")
    both = desk.post(SIGN_IN, {**PROVIDER, "has_no_secret": "on", "client_secret": "another"})
    assert both.status_code == 400
    assert 'id="id_has_no_secret_error"' in both.content.decode()
    assert "another" not in both.content.decode()
    saved(desk, has_no_secret="on")
    assert provider(dojo.admin)["has_client_secret"] is False
    assert "Enter the new one" not in text_of(desk.get(SIGN_IN))


def test_a_provider_is_switched_off_and_on(dojo: Dojo) -> None:
    desk = visitor(dojo, "admin")
    saved(desk, is_enabled="")
    assert provider(dojo.admin)["is_enabled"] is False
    assert "It is switched off" in text_of(desk.get(SIGN_IN))
    assert "login.example.com" not in text_of(visitor(dojo).get("/sign-in"))
    saved(desk)
    assert provider(dojo.admin)["is_enabled"] is True


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("issuer", "", "required"),
        ("issuer", "http://login.example.com", "https"),
        ("issuer", "https://127.0.0.1", ""),
        ("issuer", "https://login.example.com?x=1", "no query"),
        ("issuer", "nonsense", ""),
        ("client_id", "", "required"),
        ("client_id", "x" * 300, "255"),
        ("client_secret", "x" * 600, "500"),
        ("email_domains", "example.com no_domain", "no_domain: This is not a domain"),
        ("email_domains", "\n".join(f"n{n}.example.com" for n in range(51)), "50"),
    ],
)
def test_each_fault_stands_at_its_field_and_changes_nothing(
    dojo: Dojo, field: str, value: str, words: str
) -> None:
    refused = visitor(dojo, "admin").post(SIGN_IN, {**PROVIDER, field: value})
    assert refused.status_code == 400
    shown = re.search(rf'id="id_{field}_error">(.*?)</p>', refused.content.decode())
    assert shown, text_of(refused)
    assert words in shown[1]
    assert_error(dojo.admin.get("/identity-provider"), 404, "identity_provider_not_configured")


def test_a_provider_is_deleted_after_a_question(dojo: Dojo) -> None:
    desk = visitor(dojo, "admin")
    assert desk.get(f"{SIGN_IN}/delete")["Location"] == SIGN_IN
    saved(desk)
    assert PROVIDER["issuer"] in text_of(desk.get(f"{SIGN_IN}/delete"))
    for _ in range(2):
        assert desk.post(f"{SIGN_IN}/delete")["Location"] == SIGN_IN
    assert_error(dojo.admin.get("/identity-provider"), 404, "identity_provider_not_configured")
    assert "The provider is deleted." in text_of(desk.get(SIGN_IN))


@pytest.mark.parametrize("role", ["instructor", "assistant", "student"])
def test_the_provider_is_for_admins(dojo: Dojo, role: str) -> None:
    for path in (SIGN_IN, f"{SIGN_IN}/delete"):
        assert visitor(dojo, role).get(path).status_code == 403
        assert visitor(dojo, role).post(path, PROVIDER).status_code == 403


def test_dojos_do_not_share_a_provider(dojo: Dojo, other_dojo: Dojo) -> None:
    saved(visitor(dojo, "admin"))
    assert PROVIDER["issuer"] not in visitor(other_dojo, "admin").get(SIGN_IN).content.decode().replace(
        'placeholder="https', ""
    )
    visitor(other_dojo, "admin").post(f"{SIGN_IN}/delete")
    assert provider(dojo.admin)["issuer"] == PROVIDER["issuer"]
