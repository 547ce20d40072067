"""Reads the environment; no other module does. An invalid value stops the process and names the variable."""

from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from botocore.config import Config
from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvError, validate

from tatami.keys import MINIMUM_SECRET_BYTES

env = Env()


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets that sign tokens and derive keys. The previous one is kept while its tokens are valid."""

    current: str
    previous: str | None

    @property
    def newest_first(self) -> list[str]:
        return [secret for secret in (self.current, self.previous) if secret]


def read(kind: str, name: str, default: Any = None, **rules: Any) -> Any:
    """Return an environment value of the type `kind` (a method of `environs.Env`), or `default`.

    Raises `ImproperlyConfigured`, with the name of the variable, if the value is invalid.
    """
    try:
        return getattr(env, kind)(name, default, **rules)
    except EnvError as error:
        raise ImproperlyConfigured(str(error)) from None


def number(name: str, default: int, least: int, most: int) -> int:
    """Return a whole number from `least` to `most`, inclusive. Raises `ImproperlyConfigured`."""
    return int(read("int", name, default, validate=validate.Range(least, most)))


def days(name: str, default: int) -> int:
    """Return a retention time in days, from 1 to 36,500. Raises `ImproperlyConfigured`."""
    return number(name, default, 1, 36_500)


def networks(name: str) -> list[str]:
    """Return the networks, such as `10.0.0.0/8`, that are separated by commas. Raises `ImproperlyConfigured`."""
    given = [text.strip() for text in str(read("str", name, "")).split(",") if text.strip()]
    try:
        return [str(ip_network(text)) for text in given]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}") from None


def one_of(name: str, default: str, *others: str) -> str:
    """Return the value, which must be `default` or one of `others`. Raises `ImproperlyConfigured`."""
    return str(read("str", name, default, validate=validate.OneOf([default, *others])))


def secret(name: str) -> str | None:
    """Return the secret in `NAME`, or in the file that `NAME_FILE` names (Docker secrets), or `None`.

    Raises `ImproperlyConfigured` if the file cannot be read.
    """
    path = read("str", f"{name}_FILE")
    if path is None:
        value: str | None = read("str", name)
        return value
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE: {error.strerror}: {path}") from None


def signing_secrets() -> Secrets:
    """Return JWT_SECRET and JWT_SECRET_PREVIOUS.

    Raises `ImproperlyConfigured` if the first is missing or one of them has less than 32 bytes.
    """
    current, previous = secret("JWT_SECRET"), secret("JWT_SECRET_PREVIOUS")
    if not current:
        raise ImproperlyConfigured(
            "JWT_SECRET is not set. Set it to a random secret of at least 32 bytes; `make run` creates one by itself."
        )
    for name, value in (("JWT_SECRET", current), ("JWT_SECRET_PREVIOUS", previous)):
        if value and len(value.encode()) < MINIMUM_SECRET_BYTES:
            raise ImproperlyConfigured(f"{name} must have at least {MINIMUM_SECRET_BYTES} bytes")
    return Secrets(current, previous or None)


def traces() -> bool:
    """Return whether spans are exported: the endpoint of a collector is set, and nothing turns them off.

    Raises `ImproperlyConfigured` for an exporter or a protocol that is not installed. All other variables of
    OpenTelemetry are read by its SDK.
    """
    endpoint = read("str", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or read("str", "OTEL_EXPORTER_OTLP_ENDPOINT")
    if not endpoint:
        return False
    if read("str", "OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if one_of("OTEL_TRACES_EXPORTER", "otlp", "none", "") == "none":
        return False
    one_of("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "")
    one_of("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf", "")
    return True


def database(name: str, engine: str, **options: Any) -> dict[str, Any] | None:
    """Return Django's settings for the database whose URL is in the variable `name`, or `None` if it is unset.

    The URL is `postgresql://user:password@host:port/name?option=value`, percent-encoded. `?host=/folder` is a socket.
    Raises `ImproperlyConfigured` for other URLs.
    """
    url = secret(name)
    if not url:
        return None
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    port = _port(name, parts)
    if parts.scheme not in {"postgresql", "postgres"} or not parts.username or not parts.path.strip("/"):
        raise ImproperlyConfigured(f"{name} must look like postgresql://user:password@host:port/database")
    return {
        "ENGINE": engine,
        "USER": unquote(parts.username),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", None) or unquote(parts.hostname or ""),
        "PORT": str(query.pop("port", None) or port or ""),
        "NAME": unquote(parts.path[1:]),
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "CONN_HEALTH_CHECKS": True,
        **options,
        "OPTIONS": {**options.get("OPTIONS", {}), **query},
    }


def _port(name: str, parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        raise ImproperlyConfigured(f"{name}: the port is not a number from 0 to 65535") from None


def storage(url: str | None, folder: Path, *, in_requests: bool = False) -> dict[str, Any]:
    """Return Django's settings for the file storage at `url` (TATAMI_STORAGE_URL), or in `folder` without a URL.

    With `in_requests` (a web process) a bucket must answer within seconds, or the request ends with 503. Workers, which
    write archives, wait longer and try again.

    The URL is `file:///folder` or `s3://key:secret@bucket?region=…&endpoint=https://…`, percent-encoded. Without a key,
    boto3 looks for credentials in its usual places. Files over 1 MiB are buffered on disk instead of in memory: exports
    read their archive twice. Raises `ImproperlyConfigured` for other URLs.
    """
    parts = urlsplit(url or folder.as_uri())
    if parts.scheme == "file" and parts.path.strip("/"):
        location = {"location": unquote(parts.path)}
        return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": location}
    query = dict(parse_qsl(parts.query))
    if parts.scheme != "s3" or not parts.hostname or not query.keys() <= {"region", "endpoint"}:
        raise ImproperlyConfigured(
            "TATAMI_STORAGE_URL must be file:///folder or s3://key:secret@bucket?region=name&endpoint=https://host"
        )
    options = {
        "bucket_name": parts.hostname,
        "access_key": unquote(parts.username or "") or None,
        "secret_key": unquote(parts.password or "") or None,
        "region_name": query.get("region"),
        "endpoint_url": query.get("endpoint"),
        "file_overwrite": False,
        "max_memory_size": 1024 * 1024,
        "client_config": _bucket_limits(in_requests=in_requests),
    }
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}


def _bucket_limits(*, in_requests: bool) -> Config:
    """Return the time limits of one call to a bucket, in seconds: to connect, and until each part of the answer."""
    if in_requests:
        return Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 1})
    return Config(connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 3})


def email(url: str) -> dict[str, Any]:
    """Return Django's e-mail settings for EMAIL_URL.

    The URL is `file:///folder`, `console:`, `smtp://user:password@host:port`, `smtps://…` (TLS, port 465 by default) or
    `smtp+tls://…` (STARTTLS). Raises `ImproperlyConfigured` for other URLs.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return {
            "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
            "EMAIL_FILE_PATH": unquote(parts.path),
        }
    if parts.scheme == "console":
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    if parts.scheme in {"smtp", "smtps", "smtp+tls"} and parts.hostname:
        return {
            "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "EMAIL_HOST": parts.hostname,
            "EMAIL_PORT": _port("EMAIL_URL", parts) or (465 if parts.scheme == "smtps" else 25),
            "EMAIL_HOST_USER": unquote(parts.username or ""),
            "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
            "EMAIL_USE_SSL": parts.scheme == "smtps",
            "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
            "EMAIL_TIMEOUT": 20,  # seconds
        }
    raise ImproperlyConfigured("EMAIL_URL must be file:///folder, console: or smtp://user:password@host:port")
