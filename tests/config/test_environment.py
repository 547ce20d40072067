"""Environment variables: an invalid value is refused, and the message names the variable."""

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.test import override_settings

from config.environment import days, email, number, one_of, secret, signing_secrets, storage, traces

NAME = "TATAMI_TESTED"
FOLDER = Path("/srv/with a space/files")


@pytest.mark.parametrize("value", ["-1", "0", "36501", "1.5", "never", ""])
def test_an_invalid_number_of_days_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(NAME, value)
    with pytest.raises(ImproperlyConfigured, match=NAME):
        days(NAME, 30)


def test_days_and_numbers_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert days(NAME, 30) == 30
    monkeypatch.setenv(NAME, "7")
    assert days(NAME, 30) == number(NAME, 30, 7, 7) == 7
    with pytest.raises(ImproperlyConfigured, match=NAME):
        number(NAME, 30, 8, 9)


def test_one_of_several_words_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert one_of(NAME, "json", "console") == "json"
    monkeypatch.setenv(NAME, "console")
    assert one_of(NAME, "json", "console") == "console"
    monkeypatch.setenv(NAME, "xml")
    with pytest.raises(ImproperlyConfigured, match=NAME):
        one_of(NAME, "json", "console")


def test_a_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(NAME, "in the environment")
    assert secret(NAME) == "in the environment"
    (tmp_path / "secret").write_text("in a file\n")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "secret"))
    assert secret(NAME) == "in a file"
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "none"))
    with pytest.raises(ImproperlyConfigured, match=f"{NAME}_FILE"):
        secret(NAME)


@pytest.mark.parametrize("name", ["JWT_SECRET", "JWT_SECRET_PREVIOUS"])
def test_a_signing_secret_that_is_too_short_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("JWT_SECRET", "s" * 32)
    monkeypatch.setenv(name, "short")
    with pytest.raises(ImproperlyConfigured, match=f"^{name} "):
        signing_secrets()


@pytest.mark.parametrize("url", ["smtp://mail.example.org:many", "smtp://", "http://mail.example.org"])
def test_an_invalid_email_url_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL"):
        email(url)


def test_without_a_storage_url_files_are_in_the_default_folder() -> None:
    options = storage(None, FOLDER)["OPTIONS"]
    assert options == {"location": str(FOLDER)}


def test_a_storage_url_may_name_a_folder() -> None:
    options = storage("file:///srv/with%20a%20space", FOLDER)["OPTIONS"]
    assert options == {"location": "/srv/with a space"}


def test_a_storage_url_may_name_a_bucket() -> None:
    options = storage_of("s3://key:se%2Fcret@dojos?region=eu-central-1&endpoint=https://s3.example.org:9000")
    assert (options.bucket_name, options.region_name) == ("dojos", "eu-central-1")
    assert (options.access_key, options.secret_key) == ("key", "se/cret")
    assert options.endpoint_url == "https://s3.example.org:9000"


def test_without_a_key_boto3_looks_for_one() -> None:
    options = storage_of("s3://dojos")
    assert (options.bucket_name, options.access_key, options.endpoint_url) == ("dojos", None, None)
    assert options.max_memory_size > 0, "otherwise archives are read into memory"


def test_a_web_process_waits_for_a_bucket_for_seconds_only() -> None:
    options = storage("s3://dojos", FOLDER, in_requests=True)["OPTIONS"]["client_config"]
    assert options.connect_timeout + options.read_timeout <= 5
    assert options.retries == {"total_max_attempts": 1}


@pytest.mark.parametrize("url", ["dojos", "file:///", "s3://", "ftp://dojos", "s3://dojos?acl=public-read"])
def test_an_invalid_storage_url_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="TATAMI_STORAGE_URL"):
        storage(url, FOLDER)


def storage_of(url: str) -> Any:
    """Return the storage. It does not connect before it is used."""
    with override_settings(STORAGES={"default": storage(url, FOLDER)}):
        return storages["default"]


@pytest.mark.parametrize(
    ("variables", "traced"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "false"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "otlp"}, True),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            True,
        ),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, False),
    ],
)
def test_traces_are_configured_by_the_standard_variables(
    variables: dict[str, str], traced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert traces() is traced


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_TRACES_EXPORTER", "jaeger"),
    ],
)
def test_an_exporter_that_is_not_installed_is_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=name):
        traces()
