"""Setting a password by an e-mailed link, and changing it."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.db import transaction

from shared_apps.accounts.models import PasswordLink, User
from shared_apps.accounts.users import change_user, create_user, invalidate_links
from tatami import clock
from tatami.keys import secret_hash
from tatami.tenancy.scope import TenantScope, tenant_scope
from tests.accounts.race_hooks import run_while_hashing
from tests.support import races
from tests.support.clients import Caller, Dojo
from tests.support.now import NOW
from tests.support.password_mail import send_waiting_password_mails
from tests.support.races import ConcurrentCall

EMAIL = "kim@example.com"
PASSWORD = "correct horse battery"
NEW = "quite another horse"


@pytest.fixture
def mails(mailoutbox: list[Any], dojo: Dojo, other_dojo: Dojo) -> Callable[[Any], list[Any]]:
    """Return a function that calls another one, lets workers send, and returns the e-mails sent."""

    def sent(call: Callable[[], Any]) -> list[Any]:
        mailoutbox.clear()
        call()
        for tenant in (dojo.tenant, other_dojo.tenant):
            send_waiting_password_mails(tenant)
        return list(mailoutbox)

    return sent


@pytest.fixture
def kim(dojo: Dojo) -> User:
    """A user with a password."""
    with tenant_scope(dojo.tenant):
        return create_user(email=EMAIL, name="Kim", role="student", password_hash=make_password(PASSWORD))


def sign_in(host: str, password: str) -> Any:
    return Caller(host).post("/auth/login", {"email": EMAIL, "password": password})


def request_link(host: str, email: str = EMAIL) -> Any:
    return Caller(host).post("/auth/password/reset", {"email": email})


def confirm(host: str, secret: str, new: str = NEW) -> Any:
    return Caller(host).post("/auth/password/reset/confirm", {"token": secret, "new_password": new})


def secret_in(mail: Any) -> str:
    found = re.search(r"#(\S+)", mail.body)
    assert found
    return found[1]


def error_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


REFUSED = (401, "token_invalid")


@pytest.fixture
def secret(kim: User, dojo: Dojo, mails: Any) -> str:
    """The secret of the link that was sent to Kim."""
    (mail,) = mails(lambda: request_link(dojo.host))
    return secret_in(mail)


# --- the link -----------------------------------------------------------------------------------------------


def test_a_link_sets_a_password(dojo: Dojo, secret: str) -> None:
    assert confirm(dojo.host, secret).status_code == 204
    assert sign_in(dojo.host, NEW).status_code == 200
    assert error_of(sign_in(dojo.host, PASSWORD)) == (401, "invalid_credentials")


@pytest.mark.parametrize("accept", ["text/html", "application/json", "*/*"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_visiting_the_link_uses_nothing_up(dojo: Dojo, secret: str, method: str, accept: str) -> None:
    """Scanners of mail visit links before people do. A browser keeps to itself what is after the `#`."""
    with tenant_scope(dojo.tenant):
        before = PasswordLink.objects.values().get()
    for path in ("/auth/password/reset", "/auth/password/reset/confirm"):
        for query in ("", f"?token={secret}", f"?token={secret}&new_password={NEW}".replace(" ", "+")):
            assert Caller(dojo.host).request(method, path + query, Accept=accept).status_code < 500
    with tenant_scope(dojo.tenant):
        assert PasswordLink.objects.values().get() == before
    assert confirm(dojo.host, secret).status_code == 204
    assert sign_in(dojo.host, NEW).status_code == 200


def test_the_secret_is_in_no_part_of_the_address_that_is_sent(
    dojo: Dojo, kim: User, mails: Callable[[Any], list[Any]]
) -> None:
    (mail,) = mails(lambda: request_link(dojo.host))
    (address,) = re.findall(r"http\S+", mail.body)
    sent, _, kept = address.partition("#")
    assert kept
    assert kept not in sent


def test_a_link_works_once(dojo: Dojo, secret: str) -> None:
    confirm(dojo.host, secret)
    assert error_of(confirm(dojo.host, secret, "one more horse still")) == REFUSED
    assert sign_in(dojo.host, NEW).status_code == 200


def test_a_link_expires_after_three_days(dojo: Dojo, secret: str) -> None:
    with clock.fixed(NOW + timedelta(hours=72)):
        assert error_of(confirm(dojo.host, secret)) == REFUSED
    with clock.fixed(NOW + timedelta(hours=72, seconds=-1)):
        assert confirm(dojo.host, secret).status_code == 204


def test_using_a_link_ends_all_sessions(dojo: Dojo, kim: User, secret: str) -> None:
    tokens = sign_in(dojo.host, PASSWORD).json()
    confirm(dojo.host, secret)
    assert error_of(Caller(dojo.host, tokens["access"]).get("/me")) == REFUSED
    assert error_of(Caller(dojo.host).post("/auth/refresh", {"refresh": tokens["refresh"]})) == REFUSED


@pytest.mark.parametrize("new", ["short", "1234567890", "kim@example.com", "password123"])
def test_a_password_that_is_easy_to_guess_does_not_use_up_the_link(dojo: Dojo, secret: str, new: str) -> None:
    answer = confirm(dojo.host, secret, new)
    assert error_of(answer) == (400, "validation_error")
    assert set(answer.json()["error"]["details"]) == {"new_password"}
    assert confirm(dojo.host, secret).status_code == 204


def test_a_link_is_invalid_in_another_dojo(other_dojo: Dojo, secret: str) -> None:
    assert error_of(confirm(other_dojo.host, secret)) == REFUSED


@pytest.mark.parametrize("guess", ["x", "a" * 43, "é" * 43, "' OR 1=1 --"])
def test_a_guessed_secret_is_invalid(dojo: Dojo, secret: str, guess: str) -> None:
    assert error_of(confirm(dojo.host, guess)) == REFUSED


@pytest.mark.parametrize("changes", [{"is_active": False}, {"archived_at": NOW}], ids=str)
def test_the_link_of_an_inactive_or_archived_user_is_invalid(
    dojo: Dojo, kim: User, secret: str, changes: dict[str, Any]
) -> None:
    with tenant_scope(dojo.tenant):
        User.objects.filter(pk=kim.pk).update(**changes)
    assert error_of(confirm(dojo.host, secret)) == REFUSED


def test_only_the_hash_of_a_link_is_stored(dojo: Dojo, secret: str) -> None:
    with tenant_scope(dojo.tenant):
        (row,) = PasswordLink.objects.values()
    assert bytes(row["secret_hash"]) == secret_hash(secret)
    assert secret not in str(row)


def test_of_concurrent_uses_of_a_link_one_succeeds(
    north: TenantScope, now: datetime, mailoutbox: list[Any]
) -> None:
    with tenant_scope(north):
        create_user(email=EMAIL, role="student", password_hash=make_password(PASSWORD))
    request_link("north.localhost")
    send_waiting_password_mails(north)
    secret = secret_in(mailoutbox[0])
    passwords = [f"horse number {number} of eight" for number in range(8)]
    answers = races.run_concurrently(
        [lambda new=new: confirm("north.localhost", secret, new) for new in passwords]
    )
    races.raise_first_error(answers)
    assert sorted(answer.status_code for answer in answers) == [204] + [401] * 7
    (winner,) = [new for new, answer in zip(passwords, answers, strict=True) if answer.status_code == 204]
    assert sign_in("north.localhost", winner).status_code == 200


def change_own(dojo: Dojo, kim: User) -> Any:
    here = sign_in(dojo.host, PASSWORD).json()["access"]
    return change(dojo, here)


def set_by_admin(dojo: Dojo, kim: User) -> Any:
    return dojo.admin.patch(f"/users/{kim.pk}", {"password": NEW})


def change_email(dojo: Dojo, kim: User) -> Any:
    return dojo.admin.patch(f"/users/{kim.pk}", {"email": "moved@example.com"})


def deactivate_and_reactivate(dojo: Dojo, kim: User) -> Any:
    dojo.admin.patch(f"/users/{kim.pk}", {"is_active": False})
    return dojo.admin.patch(f"/users/{kim.pk}", {"is_active": True})


def archive_and_restore(dojo: Dojo, kim: User) -> Any:
    dojo.admin.delete(f"/users/{kim.pk}")
    return dojo.admin.patch(f"/users/{kim.pk}", {"archived": False})


INVALIDATING_CHANGES = [
    change_own,
    set_by_admin,
    change_email,
    deactivate_and_reactivate,
    archive_and_restore,
]


@pytest.mark.parametrize("make_change", INVALIDATING_CHANGES)
def test_a_change_of_credentials_invalidates_links(
    dojo: Dojo, kim: User, secret: str, make_change: Callable[[Dojo, User], Any]
) -> None:
    answer = make_change(dojo, kim)
    assert answer.status_code in {200, 204}, answer.content
    assert error_of(confirm(dojo.host, secret, "one more horse still")) == REFUSED


def test_using_a_link_invalidates_earlier_links(dojo: Dojo, kim: User, secret: str, mails: Any) -> None:
    (mail,) = mails(lambda: request_link(dojo.host))
    assert confirm(dojo.host, secret_in(mail)).status_code == 204
    assert error_of(confirm(dojo.host, secret, "one more horse still")) == REFUSED


@pytest.mark.parametrize("changes", [{"name": "Kim Lee"}, {"role": "assistant"}, {"email": EMAIL}], ids=str)
def test_other_changes_keep_a_link_valid(dojo: Dojo, kim: User, secret: str, changes: dict[str, Any]) -> None:
    assert dojo.admin.patch(f"/users/{kim.pk}", changes).status_code == 200
    assert confirm(dojo.host, secret).status_code == 204


def test_the_links_of_other_users_stay_valid(dojo: Dojo, kim: User, secret: str) -> None:
    dojo.admin.patch(f"/users/{dojo.student.user.pk}", {"password": NEW})  # type: ignore[union-attr]
    assert confirm(dojo.host, secret).status_code == 204


def test_a_link_invalidated_while_it_is_used_sets_no_password(
    dojo: Dojo, kim: User, secret: str, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_while_hashing(monkeypatch, lambda: invalidate_links(kim.pk, now=now))
    assert error_of(confirm(dojo.host, secret)) == REFUSED
    assert sign_in(dojo.host, PASSWORD).status_code == 200


# --- asking for one -----------------------------------------------------------------------------------------


def test_the_mail_links_to_the_dojos_own_domain(dojo: Dojo, kim: User, mails: Any) -> None:
    def forged() -> None:
        Caller(dojo.host).post("/auth/password/reset", {"email": EMAIL}, X_Forwarded_Host="evil.example.com")

    (mail,) = mails(forged)
    assert mail.to == [EMAIL]
    assert "http://aiki.localhost" in mail.body
    assert "evil" not in mail.body


def test_the_response_is_the_same_whether_the_address_is_known_or_not(
    dojo: Dojo, kim: User, mails: Any
) -> None:
    answers: list[Any] = []
    assert mails(lambda: answers.append(request_link(dojo.host, "unknown@example.com"))) == []
    assert len(mails(lambda: answers.append(request_link(dojo.host)))) == 1
    unknown, known = answers
    assert (unknown.status_code, unknown.content) == (known.status_code, known.content) == (204, b"")


def test_another_dojo_sends_no_link(other_dojo: Dojo, kim: User, mails: Any) -> None:
    assert mails(lambda: request_link(other_dojo.host)) == []


def test_an_inactive_user_is_sent_no_link(dojo: Dojo, kim: User, mails: Any) -> None:
    with tenant_scope(dojo.tenant):
        User.objects.update(is_active=False)
    assert mails(lambda: request_link(dojo.host)) == []


def test_a_fourth_mail_within_an_hour_is_silently_not_sent(dojo: Dojo, kim: User, mails: Any) -> None:
    answers: list[Any] = []
    sent = mails(lambda: answers.extend(request_link(dojo.host) for _ in range(4)))
    assert len(sent) == 3
    assert [answer.status_code for answer in answers] == [204] * 4
    with clock.fixed(NOW + timedelta(hours=1)):
        assert len(mails(lambda: request_link(dojo.host))) == 1


def test_no_link_is_sent_to_an_address_that_is_being_replaced(
    north: TenantScope, now: datetime, superuser: Any, mailoutbox: list[Any]
) -> None:
    with tenant_scope(north), transaction.atomic():
        kim = create_user(email=EMAIL, role="student")
    request_link("north.localhost")
    with tenant_scope(north), transaction.atomic():
        change_user(user=kim, changes={"email": "moved@example.com"}, now=now)
        sending = ConcurrentCall(lambda: send_waiting_password_mails(north))
    sending.result()
    assert mailoutbox == []


@pytest.fixture
def mail_folder(settings: Any, tmp_path: Path) -> Path:
    """The folder into which e-mails are written without a mail server."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    return tmp_path / "mail"


def test_without_a_mail_server_the_mail_is_written_to_a_file(
    dojo: Dojo, kim: User, mail_folder: Path
) -> None:
    request_link(dojo.host)
    send_waiting_password_mails(dojo.tenant)
    (file,) = mail_folder.iterdir()
    found = re.search(r"^An app that asks for a code takes this one: (\S+)$", file.read_text(), re.MULTILINE)
    assert found
    assert confirm(dojo.host, found[1]).status_code == 204


# --- changing one's own -------------------------------------------------------------------------------------


def change(dojo: Dojo, access: str, current: str = PASSWORD, new: str = NEW) -> Any:
    body = {"current_password": current, "new_password": new}
    return Caller(dojo.host, access).post("/auth/password", body)


def test_changing_ones_own_password_ends_the_other_sessions(dojo: Dojo, kim: User) -> None:
    here, elsewhere = (sign_in(dojo.host, PASSWORD).json()["access"] for _ in range(2))
    assert change(dojo, here).status_code == 204
    assert Caller(dojo.host, here).get("/me").status_code == 200
    assert error_of(Caller(dojo.host, elsewhere).get("/me")) == REFUSED
    assert sign_in(dojo.host, NEW).status_code == 200


def test_changing_ones_own_password_requires_the_current_one(dojo: Dojo, kim: User) -> None:
    here = sign_in(dojo.host, PASSWORD).json()["access"]
    assert error_of(change(dojo, here, current="wrong")) == (401, "invalid_credentials")
    assert sign_in(dojo.host, PASSWORD).status_code == 200


def test_a_password_replaced_during_the_comparison_is_kept(
    dojo: Dojo, kim: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = sign_in(dojo.host, PASSWORD).json()["access"]
    by_admin = make_password("set by an admin")
    run_while_hashing(monkeypatch, lambda: User.objects.filter(pk=kim.pk).update(password=by_admin))
    assert error_of(change(dojo, here)) == (401, "invalid_credentials")
    assert sign_in(dojo.host, "set by an admin").status_code == 200


def test_a_new_password_that_is_easy_to_guess_is_refused(dojo: Dojo, kim: User) -> None:
    here = sign_in(dojo.host, PASSWORD).json()["access"]
    answer = change(dojo, here, new="short")
    assert error_of(answer) == (400, "validation_error")
    assert set(answer.json()["error"]["details"]) == {"new_password"}
    assert sign_in(dojo.host, PASSWORD).status_code == 200


def test_guessing_ones_own_password_is_throttled(dojo: Dojo) -> None:
    body = {"current_password": "not this one either", "new_password": "seven rolling waves"}
    statuses = [dojo.instructor.post("/auth/password", body).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    assert dojo.admin.post("/auth/password", body).status_code == 401
