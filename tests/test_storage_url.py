"""TATAMI_STORAGE_URL: where files are kept."""

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.test import override_settings

from config.environment import storage

FOLDER = Path("/srv/with a space/files")


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
