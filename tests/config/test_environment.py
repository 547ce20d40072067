"""What the environment says: nonsense is refused, and the variable is named."""

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.test import override_settings

from config.environment import days, email, number, one_of, secret, signing_secrets, storage

NAME = "TATAMI_TRIED"
FOLDER = Path("/srv/with a space/files")


@pytest.mark.parametrize("value", ["-1", "0", "36501", "1.5", "never", ""])
def test_so_many_days_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(NAME, value)
    with pytest.raises(ImproperlyConfigured, match=NAME):
        days(NAME, 30)


def test_days_and_numbers_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert days(NAME, 30) == 30
    monkeypatch.setenv(NAME, "7")
    assert days(NAME, 30) == number(NAME, 30, 7, 7) == 7
    with pytest.raises(ImproperlyConfigured, match=NAME):
        number(NAME, 30, 8, 9)


def test_one_of_some_words_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_a_signing_secret_that_is_short_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("JWT_SECRET", "s" * 32)
    monkeypatch.setenv(name, "short")
    with pytest.raises(ImproperlyConfigured, match=f"^{name} "):
        signing_secrets()


@pytest.mark.parametrize("url", ["smtp://mail.example.org:many", "smtp://", "http://mail.example.org"])
def test_mail_goes_nowhere_by_nonsense(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL"):
        email(url)


def test_without_it_files_are_in_a_folder() -> None:
    options = storage(None, FOLDER)["OPTIONS"]
    assert options == {"location": str(FOLDER)}


def test_a_folder_may_be_named() -> None:
    options = storage("file:///srv/with%20a%20space", FOLDER)["OPTIONS"]
    assert options == {"location": "/srv/with a space"}


def test_a_bucket_may_be_named() -> None:
    options = made("s3://key:se%2Fcret@dojos?region=eu-central-1&endpoint=https://s3.example.org:9000")
    assert (options.bucket_name, options.region_name) == ("dojos", "eu-central-1")
    assert (options.access_key, options.secret_key) == ("key", "se/cret")
    assert options.endpoint_url == "https://s3.example.org:9000"


def test_a_bucket_without_a_key_leaves_it_to_boto3() -> None:
    options = made("s3://dojos")
    assert (options.bucket_name, options.access_key, options.endpoint_url) == ("dojos", None, None)
    assert options.max_memory_size > 0, "or archives are read into memory"


@pytest.mark.parametrize("url", ["dojos", "file:///", "s3://", "ftp://dojos", "s3://dojos?acl=public-read"])
def test_what_is_not_understood_is_named(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="TATAMI_STORAGE_URL"):
        storage(url, FOLDER)


def made(url: str) -> Any:
    """Return the storage itself, which connects to nothing before it is used."""
    with override_settings(STORAGES={"default": storage(url, FOLDER)}):
        return storages["default"]
