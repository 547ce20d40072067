"""Request ids and log lines."""

import json
import logging
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from django.test import Client

from tatami.observability import (
    current_request_id,
    logging_configuration,
    redact_row_values,
    task_log_context,
)
from tatami.tenancy.scope import TenantScope, tenant_scope


def request_lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [
        record.msg
        for record in caplog.records
        if isinstance(record.msg, dict) and record.msg["event"] == "request"
    ]


@pytest.mark.parametrize("path", ["/open", "/echo", "/unknown", "/failing/bug", "/healthz", "/open?a=%00"])
def test_every_response_has_a_request_id(anonymous: Client, path: str) -> None:
    assert UUID(anonymous.get(path).headers["X-Request-ID"]).version == 7


def test_a_request_id_of_the_client_is_kept(anonymous: Client) -> None:
    assert anonymous.get("/unknown", headers={"X-Request-ID": "A-b_c.9"}).headers["X-Request-ID"] == "A-b_c.9"


@pytest.mark.parametrize("sent", ["", "a b", "x" * 129, "é", "a\n", '"quoted"'])
def test_an_invalid_request_id_is_replaced(anonymous: Client, sent: str) -> None:
    assert anonymous.get("/open", headers={"X-Request-ID": sent}).headers["X-Request-ID"] != sent


def test_every_request_is_logged_in_one_line(admin: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        admin.get("/echo?token=secret", headers={"X-Request-ID": "r-1"})
    (line,) = request_lines(caplog)
    assert line["userId"]
    assert line["durationMs"] >= 0
    known = {name: line[name] for name in ("level", "tenant", "path", "method", "status", "requestId")}
    assert known == {
        "level": "info",
        "tenant": None,
        "path": "/echo",
        "method": "GET",
        "status": 200,
        "requestId": "r-1",
    }
    assert "secret" not in str(line)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_the_line_of_a_request_is_written_with_all_its_fields(
    admin: Client, caplog: pytest.LogCaptureFixture, log_format: str
) -> None:
    with caplog.at_level(logging.INFO):
        admin.get("/echo", headers={"X-Request-ID": "r-1"})
    (record,) = [one for one in caplog.records if one.name == "tatami.request"]
    configured = dict(logging_configuration(log_format)["formatters"]["structured"])
    text = configured.pop("()")(**configured).format(record)
    logging_configuration()
    if log_format == "json":
        line = json.loads(text)
        assert list(line) == [
            *("timestamp", "level", "event", "requestId", "tenant", "userId", "path", "method", "status"),
            "durationMs",
        ]
        assert line["timestamp"].endswith("Z")
    else:
        assert "r-1" in text
    assert "\n" not in text


def test_the_user_id_does_not_leak_into_the_next_request(
    admin: Client, anonymous: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        admin.get("/echo")
        anonymous.get("/open")
    assert [bool(line["userId"]) for line in request_lines(caplog)] == [True, False]


def test_every_line_has_the_current_dojo(site: Any, caplog: pytest.LogCaptureFixture) -> None:
    dojo = TenantScope("t_1", uuid4(), "budo", "Budo", "UTC", "active", "budo.localhost")
    with tenant_scope(dojo), caplog.at_level(logging.INFO):
        structlog.get_logger("tatami.test").info("something")
    assert caplog.records[-1].msg["tenant"] == str(dojo.tenant_id)


def test_the_lines_of_a_task_have_its_name_its_dojo_and_the_causing_request(
    site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    tenant = uuid4()
    with task_log_context("promotions.run", "t-1", tenant, "r-1"), caplog.at_level(logging.INFO):
        structlog.get_logger("tatami.test").info("working")
        assert current_request_id() == "r-1"
    assert "task" not in structlog.contextvars.get_contextvars()
    line = caplog.records[-1].msg
    assert (line["task"], line["taskId"], line["tenant"], line["requestId"]) == (
        "promotions.run",
        "t-1",
        str(tenant),
        "r-1",
    )


@pytest.mark.parametrize("logger", ["django.db", "celery.worker", "other.library"])
def test_lines_of_all_loggers_are_json_objects(site: Any, logger: str) -> None:
    formatter = logging.getLogger().handlers
    structured = [
        one.formatter for one in formatter if isinstance(one.formatter, structlog.stdlib.ProcessorFormatter)
    ]
    record = logging.LogRecord(logger, logging.WARNING, "x.py", 1, "hello %s", ("there",), None)
    line = json.loads(structured[0].format(record))
    assert (line["event"], line["level"]) == ("hello there", "warning")
    assert line["timestamp"].endswith("Z")


def test_values_of_rows_are_removed_from_the_log() -> None:
    detail = "DETAIL:  Key (email)=(mary@dojo.example) already exists."
    exception = f"IntegrityError: duplicate\n{detail}\n\nThe above exception"
    event = redact_row_values(None, "error", {"event": "x", "exception": exception})
    assert event["exception"] == "IntegrityError: duplicate\nDETAIL: (withheld)\n\nThe above exception"


def test_an_unknown_log_format_is_refused() -> None:
    with pytest.raises(ValueError, match="LOG_FORMAT"):
        logging_configuration("xml")
