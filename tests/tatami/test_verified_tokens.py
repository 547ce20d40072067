"""Verified access tokens are remembered, but never beyond what they allow."""

from datetime import timedelta

import pytest

from shared_apps.accounts.sessions import end_sessions
from tatami import clock
from tatami.ids import uuid7
from tatami.tenancy.scope import TenantScope, tenant_scope
from tatami.tokens import AccessToken, ExpiredTokenError, TokenError, issue, read_access_token
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import assert_error


def test_a_remembered_token_expires(tenant: TenantScope) -> None:
    with tenant_scope(tenant), clock.fixed(NOW):
        text = str(issue(AccessToken, user_id=uuid7(), session_id=uuid7()))
        assert read_access_token(text) is read_access_token(text)
        with clock.fixed(NOW + AccessToken.lifetime), pytest.raises(ExpiredTokenError):
            read_access_token(text)
        with clock.fixed(NOW + AccessToken.lifetime - timedelta(seconds=1)):
            assert read_access_token(text).payload["sub"]


def test_a_remembered_token_is_refused_in_another_dojo(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    with tenant_scope(tenant):
        text = str(issue(AccessToken, user_id=uuid7(), session_id=uuid7()))
        read_access_token(text)
    with tenant_scope(other_tenant), pytest.raises(TokenError):
        read_access_token(text)


def test_a_remembered_token_is_refused_when_its_secret_is_replaced(
    tenant: TenantScope, settings: object
) -> None:
    with tenant_scope(tenant):
        text = str(issue(AccessToken, user_id=uuid7(), session_id=uuid7()))
        read_access_token(text)
        settings.TATAMI_SECRETS = ["another secret, which is as long as it has to be"]  # type: ignore[attr-defined]
        with pytest.raises(TokenError):
            read_access_token(text)


def test_an_ended_session_is_refused_on_the_next_request(dojo: Dojo) -> None:
    admin = dojo.admin
    assert admin.get("/me").status_code == 200
    assert admin.user is not None
    with tenant_scope(dojo.tenant):
        end_sessions(admin.user.pk, now=clock.now())
    assert_error(admin.get("/me"), 401, "token_invalid")
