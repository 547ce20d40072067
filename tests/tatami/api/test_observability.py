import json
import logging
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from django.test import Client

from tatami.observability import bound_task, current_request_id, logging_configuration, withhold_row_values
from tatami.tenancy.scope import TenantScope, tenant_scope


def request_lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [
        record.msg
        for record in caplog.records
        if isinstance(record.msg, dict) and record.msg["event"] == "request"
    ]


@pytest.mark.parametrize("path", ["/open", "/echo", "/nowhere", "/failing/bug", "/healthz", "/open?a=%00"])
def test_every_answer_bears_a_request_id(http: Client, path: str) -> None:
    assert UUID(http.get(path).headers["X-Request-ID"]).version == 7


def test_a_clients_own_request_id_is_kept(http: Client) -> None:
    assert http.get("/nowhere", headers={"X-Request-ID": "A-b_c.9"}).headers["X-Request-ID"] == "A-b_c.9"


@pytest.mark.parametrize("sent", ["", "a b", "x" * 129, "é", "a\n", '"quoted"'])
def test_another_request_id_is_replaced(http: Client, sent: str) -> None:
    assert http.get("/open", headers={"X-Request-ID": sent}).headers["X-Request-ID"] != sent


def test_every_request_is_one_line_with_its_facts(admin: Client, caplog: pytest.LogCaptureFixture) -> None:
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


def test_a_caller_is_forgotten_with_the_request(
    admin: Client, http: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        admin.get("/echo")
        http.get("/open")
    assert [bool(line["userId"]) for line in request_lines(caplog)] == [True, False]


def test_the_dojo_in_force_is_on_every_line(site: Any, caplog: pytest.LogCaptureFixture) -> None:
    dojo = TenantScope("t_1", uuid4(), "budo", "Budo", "UTC", "active", "budo.localhost")
    with tenant_scope(dojo), caplog.at_level(logging.INFO):
        structlog.get_logger("tatami.test").info("something")
    assert caplog.records[-1].msg["tenant"] == str(dojo.tenant_id)


def test_a_tasks_lines_name_the_task_its_dojo_and_the_request_that_caused_it(
    site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    tenant = uuid4()
    with bound_task("promotions.run", "t-1", tenant, "r-1"), caplog.at_level(logging.INFO):
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


@pytest.mark.parametrize("logger", ["django.db", "celery.worker", "somebody.else"])
def test_everybodys_lines_are_json_objects(site: Any, logger: str) -> None:
    formatter = logging.getLogger().handlers
    structured = [
        one.formatter for one in formatter if isinstance(one.formatter, structlog.stdlib.ProcessorFormatter)
    ]
    record = logging.LogRecord(logger, logging.WARNING, "x.py", 1, "hello %s", ("there",), None)
    line = json.loads(structured[0].format(record))
    assert (line["event"], line["level"]) == ("hello there", "warning")
    assert line["timestamp"].endswith("Z")


def test_the_values_of_rows_are_withheld() -> None:
    detail = "DETAIL:  Key (email)=(mary@dojo.example) already exists."
    said = f"IntegrityError: duplicate\n{detail}\n\nThe above exception"
    event = withhold_row_values(None, "error", {"event": "x", "exception": said})
    assert event["exception"] == "IntegrityError: duplicate\nDETAIL: (withheld)\n\nThe above exception"


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="LOG_FORMAT"):
        logging_configuration("xml")
