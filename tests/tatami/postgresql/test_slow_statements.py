"""Slow statements in the log, and the request in the text of statements that are not prepared."""

import logging
from typing import Any
from urllib.parse import unquote

import psycopg
import pytest
from django.db import DatabaseError, connection

from tatami.observability import task_log_context
from tatami.postgresql.slow_statements import control_command, with_comment
from tatami.postgresql.statements import Statement
from tatami.tenancy.scope import TenantScope, tenant_scope
from tests.support.clients import Dojo
from tests.support.statements import sent_statements
from tests.tatami.test_tracing import PARENT, Spans, spans

__all__ = ["spans"]

SLEEP = "SELECT pg_sleep(0.02), %s::text"
NAMED = Statement("sample.sleep", "SELECT pg_sleep(0.02), $1::text")


@pytest.fixture(autouse=True)
def threshold(settings: Any) -> None:
    settings.TATAMI_SLOW_STATEMENT_MS = 20


def slow_lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [
        record.msg
        for record in caplog.records
        if isinstance(record.msg, dict) and record.msg["event"] == "slow_statement"
    ]


def execute(sql: str, params: list[Any] | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def test_a_slow_statement_is_logged_without_its_values(
    tenant: TenantScope, caplog: pytest.LogCaptureFixture
) -> None:
    with tenant_scope(tenant), task_log_context("sample.job", "t-1", tenant.tenant_id, "r-1"):
        execute(SLEEP, ["canary"])
    (line,) = slow_lines(caplog)
    assert line["durationMs"] >= 20
    assert (line["statement"], line["sql"]) == ("SELECT", SLEEP)
    assert (line["requestId"], line["task"], line["tenant"]) == ("r-1", "sample.job", str(tenant.tenant_id))
    assert "canary" not in str(line)


def test_a_slow_prepared_statement_is_logged_by_name(
    tenant: TenantScope, caplog: pytest.LogCaptureFixture
) -> None:
    with tenant_scope(tenant):
        NAMED.rows("canary")
    (line,) = slow_lines(caplog)
    assert (line["statement"], line["sql"]) == ("sample.sleep", NAMED.sql)
    assert line["backendPid"] == connection.connection.info.backend_pid
    assert "canary" not in str(line)


def test_texts_within_a_statement_are_not_logged(
    tenant: TenantScope, caplog: pytest.LogCaptureFixture
) -> None:
    with tenant_scope(tenant):
        execute("SELECT pg_sleep(0.02), 'canary'")
    assert slow_lines(caplog)[0]["sql"] == "SELECT pg_sleep(0.02), ?"


def test_a_slow_statement_that_fails_is_logged(tenant: TenantScope, caplog: pytest.LogCaptureFixture) -> None:
    with tenant_scope(tenant), pytest.raises(DatabaseError):
        execute("SELECT pg_sleep(0.02), 1 / (pg_sleep(0.02) IS NULL)::int")
    assert len(slow_lines(caplog)) == 1


@pytest.mark.parametrize("milliseconds", [0, 60_000])
def test_no_statement_is_logged_below_the_threshold(
    tenant: TenantScope, settings: Any, caplog: pytest.LogCaptureFixture, milliseconds: int
) -> None:
    settings.TATAMI_SLOW_STATEMENT_MS = milliseconds
    with tenant_scope(tenant), caplog.at_level(logging.DEBUG):
        execute(SLEEP, ["x"])
    assert slow_lines(caplog) == []


def test_a_statement_of_the_orm_names_its_request(dojo: Dojo) -> None:
    dojo.admin.get("/disciplines")
    with sent_statements() as sent:
        dojo.admin.get("/disciplines", X_Request_ID="r-1.A_b")
        dojo.admin.post("/disciplines", {"name": "Kendo"}, X_Request_ID="r-2")
    commented = [text for text in sent if "/*request_id=" in text]
    assert any(text.endswith("/*request_id='r-2'*/") for text in commented)
    assert all("/*request_id='r-" in text for text in commented)


def test_a_prepared_statement_has_the_same_text_in_every_request(dojo: Dojo) -> None:
    with sent_statements() as first:
        dojo.admin.get("/me", X_Request_ID="r-1")
    with sent_statements() as second:
        dojo.admin.get("/me", X_Request_ID="r-2")
    prepared = [text for text in second if text.startswith(("/* t_", "tatami_"))]
    assert prepared
    assert not any(
        "request_id" in text for text in [*first, *second] if text.startswith(("/* t_", "tatami_"))
    )


@pytest.mark.direct_connection("a pooler's client does not know which process of the server it uses")
def test_a_server_can_be_asked_which_request_sends_a_statement(
    tenant: TenantScope, superuser: psycopg.Connection[Any]
) -> None:
    with tenant_scope(tenant), task_log_context("sample.job", "t-1", tenant.tenant_id, "r-1"):
        execute("SELECT 1 WHERE %s", ["t"])
        row = superuser.execute(
            "SELECT query FROM pg_stat_activity WHERE pid = %s", [connection.connection.info.backend_pid]
        ).fetchone()
    assert row is not None
    assert row[0].endswith("/*request_id='r-1',task='sample.job'*/")


def test_a_comment_has_the_trace(spans: Spans, tenant: TenantScope) -> None:
    from tatami import tracing

    with tracing.span("request", parent=tracing.context_of({"traceparent": PARENT})) as span:
        assert span is not None
        commented = with_comment("SELECT 1")
        expected = f"SELECT 1 /*traceparent='{PARENT[:36]}{span.get_span_context().span_id:016x}-"
    assert commented.startswith(expected)
    assert unquote(commented) == commented


def test_without_a_request_a_statement_is_unchanged() -> None:
    assert with_comment("SELECT 1") == "SELECT 1"


@pytest.mark.parametrize(
    ("statements", "command"),
    [
        ("BEGIN; SET LOCAL search_path = \"t_1\"; SET LOCAL tatami.tenant_id = '1'", "BEGIN"),
        ("SET LOCAL search_path = \"t_1\"; SET LOCAL tatami.tenant_id = '1'", "SET LOCAL"),
        ('ROLLBACK TO SAVEPOINT "s1"', "ROLLBACK TO SAVEPOINT"),
        ("COMMIT", "COMMIT"),
    ],
)
def test_control_statements_are_named_without_names_of_dojos(statements: str, command: str) -> None:
    assert control_command(statements) == command
