"""The peer's side: Express 5 and Prisma 7 on shared tables, built from the folder that `PEER` names.

It needs Node.js 20 or newer and the npm registry; without them there is no peer, and the columns of the report stay
empty. Its sources are copied into the data folder to be built there, and are not part of this repository.
"""

import base64
import hashlib
import hmac
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from benchmarks.common import print_line
from benchmarks.side_by_side.load import http_request
from benchmarks.side_by_side.tatami_side import ROOT, Server, free_port, stop, wait_until

DATABASE: Final = "bench_peer"
JWT_SECRET: Final = "bench-jwt-secret-0123456789abcdef0123456789"  # noqa: S105
QR_SECRET: Final = "bench-qr-secret-0123456789abcdef0123456789"  # noqa: S105
DOJOS: Final = 200
STUDENTS: Final = 100
OPEN_SESSIONS: Final = 20
_ROLES: Final = ("owner", "instructor", "instructor", "staff", "staff")


def peer_source() -> Path | None:
    """Return the folder with the peer's sources, or None if it or Node.js is missing."""
    named = os.environ.get("PEER")
    folder = Path(named) if named else ROOT.parent / "shared" / "peer-node"
    if not (folder / "package.json").is_file():
        print_line(f"No peer: {folder} has no package.json. PEER=<folder> names another.")
        return None
    if shutil.which("node") is None or shutil.which("npm") is None:
        print_line("No peer: Node.js and npm are not installed.")
        return None
    return folder


def built(source: Path, target: Path) -> Path:
    """Copy the peer and build it, unless it was built before. Raises `CalledProcessError`."""
    if (target / "dist" / "server.js").is_file():
        return target
    print_line("Building the peer (a minute)")
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    for command in (
        ["install", "--ignore-scripts", "--no-audit", "--no-fund"],
        ["run", "generate"],
        ["run", "build"],
    ):
        with (target / "build.log").open("ab") as log:
            subprocess.run(["npm", *command], cwd=target, check=True, stdout=log, stderr=log)  # noqa: S603, S607
    return target


def seeded(admin_url: str, source: Path) -> str:
    """Make and fill the peer's database, unless it is there; return its connection string."""
    conninfo = make_conninfo(admin_url, dbname=DATABASE)
    with psycopg.connect(admin_url, autocommit=True) as admin:
        if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            print_line("Filling the peer's database (two minutes)")
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE + "_new")))
            new = make_conninfo(admin_url, dbname=DATABASE + "_new")
            for name in ("schema.sql", "seed.sql"):
                _run_psql(new, source / "sql" / name)
            admin.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                    sql.Identifier(DATABASE + "_new"), sql.Identifier(DATABASE)
                )
            )
    _run_psql(conninfo, source / "sql" / "reset.sql")
    return conninfo


def _run_psql(conninfo: str, script: Path) -> None:
    from tatami.embedded.postgres import postgres_binaries

    command = [
        str(postgres_binaries() / "psql"),
        "-qX",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        conninfo,
        "-f",
        str(script),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


@contextmanager
def peer_server(folder: Path, conninfo: str, log: Path, *, pool: int) -> Iterator[Server]:
    """Serve with named prepared statements, its fastest way, until the block is left."""
    port = free_port()
    parts = conninfo_to_dict(conninfo)
    host = parts.get("host")
    url = f"postgresql://{parts['user']}:{parts.get('password', '')}@localhost/{DATABASE}?host={host}"
    environment = {
        "PATH": os.environ["PATH"],
        "NODE_ENV": "production",
        "PORT": str(port),
        "DATABASE_URL": url,
        "PREPARED": "1",
        "PG_POOL": str(pool),
        "JWT_SECRET": JWT_SECRET,
        "QR_SECRET": QR_SECRET,
    }
    with log.open("wb") as output:
        server = subprocess.Popen(
            ["node", "dist/server.js"],  # noqa: S607
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
        )
        try:
            wait_until(server, port, "/")
            yield Server(port, server.pid)
        finally:
            stop(server)


class PeerRequests:
    """The same requests as ours, in the peer's words. Ids are arithmetic: see the peer's seed."""

    def __init__(self) -> None:
        self._expires = int(time.time()) + 86_400
        self._tokens = {
            (dojo, user): self._token(
                {"sub": str((dojo - 1) * 5 + user), "tenant_id": dojo, "role": _ROLES[user - 1]}
            )
            for dojo in range(1, DOJOS + 1)
            for user in range(1, 6)
        }

    def me(self) -> list[bytes]:
        return [
            self._request("GET", "/me", dojo, user) for user in range(1, 6) for dojo in range(1, DOJOS + 1)
        ]

    def students(self) -> list[bytes]:
        return [
            self._request("GET", f"/students?page={page}", dojo, page)
            for page in range(1, 6)
            for dojo in range(1, DOJOS + 1)
        ]

    def scan(self) -> list[bytes]:
        active = [n for n in range(1, STUDENTS + 1) if n % 50]
        return [
            self._request("POST", "/attendance/scan", dojo, 2 + n % 2, self._scan(dojo, n, session))
            for session in range(OPEN_SESSIONS)
            for n in active
            for dojo in range(1, DOJOS + 1)
        ]

    def check(self) -> list[bytes]:
        return [self._request("POST", "/promotions/check", dojo, 1, {}) for dojo in range(1, DOJOS + 1)]

    def login(self) -> list[bytes]:
        return []

    def _scan(self, dojo: int, number: int, session: int) -> dict[str, Any]:
        student = (dojo - 1) * STUDENTS + number
        said = f"{dojo}:{student}:{self._expires}".encode()
        mac = _base64url(hmac.digest(QR_SECRET.encode(), said, hashlib.sha256))
        return {
            "token": f"{student}.{self._expires}.{mac}",
            "class_session_id": (dojo - 1) * 500 + 41 + session,
        }

    def _request(
        self, method: str, path: str, dojo: int, user: int, body: dict[str, Any] | None = None
    ) -> bytes:
        content = None if body is None else orjson.dumps(body)
        return http_request(method, path, f"t{dojo}.tatami.test", self._tokens[dojo, user], content)

    def _token(self, claims: dict[str, Any]) -> str:
        whole = {**claims, "iat": int(time.time()), "exp": self._expires}
        said = ".".join(
            _base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, whole)
        )
        return f"{said}.{_base64url(hmac.digest(JWT_SECRET.encode(), said.encode(), hashlib.sha256))}"


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
