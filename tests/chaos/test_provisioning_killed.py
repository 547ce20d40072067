"""Processes are killed while dojos are created and purged. In the end each dojo is complete, or gone.

A dojo that is being created never answers anything but 404.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, Final

import pytest

from tests.chaos.installation import Installation, Poller
from tests.support.catalogue import schema_facts

ROUNDS: Final = 20
DOJOS_PER_ROUND: Final = 3
LATEST_KILL_SECONDS: Final = {"web process": 1.5, "owner's sessions": 0.8, "PostgreSQL": 0.8}
"""A new web process takes longer for its first dojos."""

Report = Callable[[str], None]


@pytest.mark.parametrize("victim", LATEST_KILL_SECONDS)
def test_a_dojo_is_complete_or_gone_after_a_kill(
    installation: Installation, rng: Random, report: Report, victim: str
) -> None:
    outcomes: Counter[str] = Counter()
    with installation.superuser() as superuser:
        _, model_id, model_schema = installation.dojos()["seishin"]
        model = schema_facts(superuser, model_schema, model_id)
    to_purge: dict[str, Any] = {}
    for number in range(ROUNDS):
        slugs = [f"{victim[:3].lower()}-{number}-{one}" for one in range(DOJOS_PER_ROUND)]
        poller = Poller(installation, slugs)
        answers = _kill_during_requests(installation, rng, victim, poller, to_purge)
        left = installation.dojos()
        for slug in slugs:
            if slug in left:
                status, tenant_id, schema = left[slug]
                assert status == "active"
                poller.assert_served(slug)
                with installation.superuser() as superuser:
                    assert schema_facts(superuser, schema, tenant_id) == model
                    count = superuser.execute(f'SELECT count(*) FROM "{schema}".accounts_user').fetchone()
                assert count == (1,)
            else:
                poller.assert_never_served(slug)
                assert answers[slug] != 201, f"{slug} was reported as created"
            outcomes["made" if slug in left else "not made"] += 1
        for slug in to_purge:
            # Its schema and files are deleted with its row. Otherwise it waits for the end of its grace period.
            assert left[slug][0] == "deleting" if slug in left else answers[slug] in (204, 404, 503, None)
            outcomes["kept" if slug in left else "purged"] += 1
        assert installation.unknown_schemas() == []
        installation.check_all_dojos()
        said = ", ".join(f"{slug}: {answer}" for slug, answer in answers.items())
        report(f"round {number + 1}: {victim} killed; {said}")
        to_purge = {slug: left[slug][1] for slug in slugs if slug in left}
    report(", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items())))
    assert {"made", "not made", "purged"} <= set(outcomes), "all kills came too early or too late"


def _kill_during_requests(
    site: Installation, rng: Random, victim: str, poller: Poller, to_purge: dict[str, Any]
) -> dict[str, int | None]:
    """Create and purge dojos at the same time, and kill the victim; return the status of each response."""
    token = site.token()
    answers: dict[str, int | None] = {}

    def post(slug: str, path: str, body: dict[str, Any]) -> None:
        response = site.send_request("POST", "localhost", path, body, token)
        answers[slug] = response[0] if response else None

    requests = []
    for slug in poller.slugs:
        body = {"name": slug, "slug": slug, "admin": {"email": "head@example.com"}}
        requests.append(threading.Thread(target=post, args=(slug, "/tenants", body)))
    for slug, tenant_id in to_purge.items():
        assert site.send_request("DELETE", "localhost", f"/tenants/{tenant_id}", token=token)[0] == 202
        requests.append(
            threading.Thread(target=post, args=(slug, f"/tenants/{tenant_id}/purge", {"confirm": slug}))
        )
    with poller.polling():
        for request in requests:
            request.start()
        time.sleep(rng.uniform(0.0, LATEST_KILL_SECONDS[victim]))
        site.kill(victim, rng)
        for request in requests:
            request.join()
        site.restart_dead()
        site.sweep_until_clear()
    return answers
