"""The only place that reads the environment. A value that is not understood stops the process, by name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvError, validate

from tatami.keys import MINIMUM_SECRET_BYTES

env = Env()


@dataclass(frozen=True, slots=True)
class Secrets:
    """What signs tokens and derives keys: the present secret, and the one before while tokens of it live."""

    present: str
    previous: str | None

    @property
    def in_order(self) -> list[str]:
        return [secret for secret in (self.present, self.previous) if secret]


def read(kind: str, name: str, default: Any = None, **rules: Any) -> Any:
    """Return a typed environment value. Raises `ImproperlyConfigured`, naming the variable, for nonsense."""
    try:
        return getattr(env, kind)(name, default, **rules)
    except EnvError as fault:
        raise ImproperlyConfigured(str(fault)) from None


def number(name: str, default: int, least: int, most: int) -> int:
    """Return a whole number within these bounds, themselves included. Raises `ImproperlyConfigured`."""
    return int(read("int", name, default, validate=validate.Range(least, most)))


def days(name: str, default: int) -> int:
    """Return for how many days something is kept: one to a hundred years of them. Raises `ImproperlyConfigured`."""
    return number(name, default, 1, 36_500)


def one_of(name: str, default: str, *others: str) -> str:
    """Return one of these words. Raises `ImproperlyConfigured`."""
    return str(read("str", name, default, validate=validate.OneOf([default, *others])))


def secret(name: str) -> str | None:
    """Return a secret from `NAME`, or from the file that `NAME_FILE` names (compose secrets), or None."""
    path = read("str", f"{name}_FILE")
    if path is None:
        value: str | None = read("str", name)
        return value
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as fault:
        raise ImproperlyConfigured(f"{name}_FILE: {fault.strerror}: {path}") from None


def signing_secrets() -> Secrets:
    """Return JWT_SECRET and JWT_SECRET_PREVIOUS. Raises `ImproperlyConfigured` under 32 bytes."""
    present, previous = secret("JWT_SECRET"), secret("JWT_SECRET_PREVIOUS")
    if not present:
        raise ImproperlyConfigured("JWT_SECRET is not set; `make run` makes one")
    for name, value in (("JWT_SECRET", present), ("JWT_SECRET_PREVIOUS", previous)):
        if value and len(value.encode()) < MINIMUM_SECRET_BYTES:
            raise ImproperlyConfigured(f"{name} must have at least {MINIMUM_SECRET_BYTES} bytes")
    return Secrets(present, previous or None)


def database(name: str, engine: str, **options: Any) -> dict[str, Any] | None:
    """Return Django's settings for the database that the URL in `name` leads to, or None where it is unset.

    Takes `postgresql://user:password@host:port/name?option=value`, percent-encoded; `?host=/folder` is a socket.
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
        "OPTIONS": {**query, **options.get("OPTIONS", {})},
    }


def _port(name: str, parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        raise ImproperlyConfigured(f"{name}: the port is not a number from 0 to 65535") from None


def storage(url: str | None, folder: Path) -> dict[str, Any]:
    """Return Django's settings for the storage of files: a folder, or what TATAMI_STORAGE_URL names.

    Takes `file:///folder` and `s3://key:secret@bucket?region=…&endpoint=https://…`, percent-encoded; without a key
    boto3 looks for one in its usual places. Archives are read twice: a copy that is longer than memory likes is kept
    on disk meanwhile.
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
    }
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}


def email(url: str) -> dict[str, Any]:
    """Return Django's e-mail settings for EMAIL_URL: `file:///folder`, `console:`, or `smtp[s]://user:pw@host:port`."""
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
            "EMAIL_TIMEOUT": 20,
        }
    raise ImproperlyConfigured("EMAIL_URL must be file:///folder, console: or smtp://user:password@host:port")
