"""Password links are work for a worker: no request speaks to the mail server, and none of them is lost."""

import re
from datetime import timedelta
from typing import Any

import pytest

from shared_apps.accounts import password_mails
from shared_apps.accounts.models import PasswordLink, PasswordMail
from shared_apps.accounts.users import create_user, erase_users
from tatami import clock
from tatami.tenancy.scope import PLATFORM, platform_scope, tenant_scope
from tests.notifications.recording_smtp import NO_SUCH_USER, smtp_server, unavailable_server
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.password_mail import send_waiting_password_mails
from tests.support.statements import sent_statements

EMAIL = "kim@example.com"
NEW = "quite another horse"


@pytest.fixture(autouse=True)
def _long_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password_mails, "RUN_SECONDS", 60.0)


@pytest.fixture
def kim(dojo: Dojo) -> Any:
    with tenant_scope(dojo.tenant):
        return create_user(email=EMAIL, role="student", password_hash="!")


def request_link(host: str, email: str = EMAIL) -> Any:
    return Caller(host).post("/auth/password/reset", {"email": email})


def secret_in(mail: Any) -> str:
    found = re.search(r"#(\S+)", mail.get_content())
    assert found
    return found[1]


def confirm(host: str, secret: str) -> int:
    body = {"token": secret, "new_password": NEW}
    status: int = Caller(host).post("/auth/password/reset/confirm", body).status_code
    return status


def waiting(dojo: Dojo) -> int:
    with tenant_scope(dojo.tenant):
        return PasswordMail.objects.count()


def test_a_request_for_a_link_sends_the_same_statements_whether_the_address_is_known(
    dojo: Dojo, kim: Any
) -> None:
    def statements(email: str) -> list[str]:
        with sent_statements() as sent:
            assert request_link(dojo.host, email).status_code == 204
        # Savepoints and times of the test itself are left out. A prepared statement has only a name. The routing epoch
        # is read every half second, whatever is requested.
        changes = [text for text in sent if re.match("INSERT|UPDATE|DELETE|SELECT", text)]
        return [text for text in changes if "tenants_routingepoch" not in text]

    for warm_up in ("one@example.com", "two@example.com"):
        statements(warm_up)
    unknown, known = statements("unknown@example.com"), statements(EMAIL)
    assert [text.split()[:3] for text in known] == [text.split()[:3] for text in unknown]
    assert any("accounts_passwordmail" in text for text in known)
    assert not any("accounts_user" in text for text in known)


@pytest.mark.usefixtures("kim")
def test_no_request_waits_for_the_mail_server(dojo: Dojo) -> None:
    with smtp_server() as server:
        assert request_link(dojo.host).status_code == 204
        assert dojo.admin.post("/users", {"email": "new@example.com", "role": "student"}).status_code == 201
        assert server.connections == 0
        send_waiting_password_mails(dojo.tenant)
    assert sorted(server.recipients) == [EMAIL, "new@example.com"]


@pytest.mark.usefixtures("kim")
def test_a_link_survives_a_mail_server_that_is_away(dojo: Dojo) -> None:
    request_link(dojo.host)
    with unavailable_server():
        send_waiting_password_mails(dojo.tenant)
    assert waiting(dojo) == 1
    with clock.fixed(NOW + timedelta(minutes=1)), smtp_server() as server:
        send_waiting_password_mails(dojo.tenant)
    (mail,) = server.taken
    assert waiting(dojo) == 0
    assert confirm(dojo.host, secret_in(mail)) == 204


@pytest.mark.usefixtures("kim")
def test_a_mail_is_sent_again_with_the_same_link_after_a_killed_worker(
    dojo: Dojo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker dies after the server has accepted the mail, and before it has noted so."""

    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    request_link(dojo.host)
    with smtp_server() as server:
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(password_mails, "_save_result", die)
            send_waiting_password_mails(dojo.tenant)
        with clock.fixed(NOW + password_mails.LEASE):
            send_waiting_password_mails(dojo.tenant)
    first, second = server.taken
    assert secret_in(first) == secret_in(second)
    assert waiting(dojo) == 0
    assert confirm(dojo.host, secret_in(first)) == 204


def test_a_mail_that_the_server_refuses_for_good_is_given_up(
    dojo: Dojo, kim: Any, caplog: pytest.LogCaptureFixture
) -> None:
    request_link(dojo.host)
    with smtp_server() as server:
        server.recipient_replies[EMAIL] = NO_SUCH_USER
        send_waiting_password_mails(dojo.tenant)
    assert (waiting(dojo), server.taken) == (0, [])
    ours = [record.getMessage() for record in caplog.records if record.name != "mail.log"]
    assert any("password_mail_failed" in line for line in ours)
    assert not any(EMAIL in line for line in ours)


@pytest.mark.usefixtures("kim")
def test_a_mail_that_cannot_be_sent_for_three_days_is_given_up(dojo: Dojo) -> None:
    request_link(dojo.host)
    with clock.fixed(NOW + password_mails.LINK_LIFETIME), smtp_server() as server:
        send_waiting_password_mails(dojo.tenant)
    assert (waiting(dojo), server.taken) == (0, [])


@pytest.mark.parametrize("change", ["password", "deactivate", "archive", "erase"])
def test_a_change_of_the_user_withdraws_a_waiting_mail(dojo: Dojo, kim: Any, change: str) -> None:
    request_link(dojo.host)
    match change:
        case "password":
            assert dojo.admin.patch(f"/users/{kim.pk}", {"password": NEW}).status_code == 200
        case "deactivate":
            assert dojo.admin.patch(f"/users/{kim.pk}", {"is_active": False}).status_code == 200
        case "archive":
            assert dojo.admin.delete(f"/users/{kim.pk}").status_code == 204
        case _:
            with tenant_scope(dojo.tenant):
                erase_users(type(kim).objects.filter(pk=kim.pk), now=NOW)
    assert waiting(dojo) == 0


def test_a_platform_link_is_mailed_by_a_worker(platform: Platform) -> None:
    with platform_scope():
        user = create_user(email=EMAIL, role="admin", password_hash="!")
    with smtp_server() as server:
        assert request_link(platform.host).status_code == 204
        assert server.connections == 0
        send_waiting_password_mails(PLATFORM)
    (mail,) = server.taken
    with platform_scope():
        assert PasswordLink.objects.get().user_id == user.pk
    assert confirm(platform.host, secret_in(mail)) == 204


def test_the_outbox_of_one_dojo_is_not_sent_by_another(dojo: Dojo, other_dojo: Dojo, kim: Any) -> None:
    request_link(dojo.host)
    with smtp_server() as server:
        send_waiting_password_mails(other_dojo.tenant)
        send_waiting_password_mails(PLATFORM)
    assert server.taken == []
    assert waiting(dojo) == 1
