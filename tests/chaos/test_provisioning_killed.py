"""Done-point 2 of the issue: whoever is killed while dojos are made and purged, each is whole in the end, or gone.

And none that is half made ever answered anything but 404.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, Final

import pytest

from tests.chaos.installation import Installation, Visitor
from tests.support.catalogue import facts

ROUNDS: Final = 20
MAKERS: Final = 3
LATEST_BLOW_SECONDS: Final = {"web process": 1.5, "owner's sessions": 0.8, "PostgreSQL": 0.8}
"""A web process that was started just now takes longer for its first dojos."""

Say = Callable[[str], None]


@pytest.mark.parametrize("victim", LATEST_BLOW_SECONDS)
def test_a_dojo_is_whole_or_gone_whoever_is_killed(
    installation: Installation, rng: Random, say: Say, victim: str
) -> None:
    outcomes: Counter[str] = Counter()
    with installation.superuser() as superuser:
        _, model_id, model_schema = installation.dojos()["seishin"]
        model = facts(superuser, model_schema, model_id)
    doomed: dict[str, Any] = {}
    for number in range(ROUNDS):
        slugs = [f"{victim[:3].lower()}-{number}-{one}" for one in range(MAKERS)]
        visitor = Visitor(installation, slugs)
        answers = _struck(installation, rng, victim, visitor, doomed)
        left = installation.dojos()
        for slug in slugs:
            if slug in left:
                status, tenant_id, schema = left[slug]
                assert status == "active"
                visitor.assert_served(slug)
                with installation.superuser() as superuser:
                    assert facts(superuser, schema, tenant_id) == model
                    count = superuser.execute(f'SELECT count(*) FROM "{schema}".accounts_user').fetchone()
                assert count == (1,)
            else:
                visitor.assert_never_served(slug)
                assert answers[slug] != 201, f"{slug} was promised"
            outcomes["made" if slug in left else "not made"] += 1
        for slug in doomed:
            # With its row went its schema and files; otherwise it waits for its grace period to end.
            assert left[slug][0] == "deleting" if slug in left else answers[slug] in (204, 404, 503, None)
            outcomes["kept" if slug in left else "purged"] += 1
        assert installation.strange_schemas() == []
        installation.checked()
        said = ", ".join(f"{slug}: {answer}" for slug, answer in answers.items())
        say(f"round {number + 1}: {victim} killed; {said}")
        doomed = {slug: left[slug][1] for slug in slugs if slug in left}
    say(", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items())))
    assert {"made", "not made", "purged"} <= set(outcomes), "the blows came all too early, or too late"


def _struck(
    site: Installation, rng: Random, victim: str, visitor: Visitor, doomed: dict[str, Any]
) -> dict[str, int | None]:
    """Have dojos made and purged, all at once, and strike; return how each request was answered."""
    token = site.token()
    answers: dict[str, int | None] = {}

    def ask(slug: str, path: str, body: dict[str, Any]) -> None:
        answer = site.ask("POST", "localhost", path, body, token)
        answers[slug] = answer[0] if answer else None

    requests = []
    for slug in visitor.slugs:
        body = {"name": slug, "slug": slug, "admin": {"email": "head@example.com"}}
        requests.append(threading.Thread(target=ask, args=(slug, "/tenants", body)))
    for slug, tenant_id in doomed.items():
        assert site.ask("DELETE", "localhost", f"/tenants/{tenant_id}", token=token)[0] == 202
        requests.append(
            threading.Thread(target=ask, args=(slug, f"/tenants/{tenant_id}/purge", {"confirm": slug}))
        )
    with visitor.knocking():
        for request in requests:
            request.start()
        time.sleep(rng.uniform(0.0, LATEST_BLOW_SECONDS[victim]))
        site.kill(victim, rng)
        for request in requests:
            request.join()
        site.revive()
        site.swept()
    return answers
