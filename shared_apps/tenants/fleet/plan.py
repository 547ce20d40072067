"""What a run would do, without doing it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shared_apps.tenants import schemas
from shared_apps.tenants.fleet import rows
from shared_apps.tenants.fleet.scripts import Script, Scripts
from shared_apps.tenants.fleet.versions import history, named


@dataclass(frozen=True, slots=True)
class Plan:
    """The migrations that `public` lacks; for each version that dojos are behind with, what leads from there."""

    target: str
    public: list[str]
    groups: list[tuple[int, str, Script]]
    """How many dojos, their version, the script."""

    def lines(self) -> Iterator[str]:
        """Yield it for people."""
        yield f"public: {', '.join(self.public) or 'up to date'}"
        if not self.groups:
            yield "Every dojo is up to date."
        for dojos, version, script in self.groups:
            yield f"\n{dojos:,} dojos at {version}"
            for step in script.steps:
                yield f"  {'.'.join(step.key)}"
                statements = step.statements or ("-- runs Python in each dojo",)
                yield from (f"    {statement};" for statement in statements)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "target": self.target,
            "public": self.public,
            "groups": [
                {
                    "dojos": dojos,
                    "version": version,
                    "migrations": [
                        {
                            "name": ".".join(step.key),
                            "runs_python": step.by_hand is not None,
                            "statements": step.statements,
                        }
                        for step in script.steps
                    ],
                }
                for dojos, version, script in self.groups
            ],
        }


def planned(*, contract: bool) -> Plan:
    """Return what a run would do now. The rehearsal is rolled back; nothing is changed."""
    scripts = Scripts(history().whole if contract else history().needed)
    public = named(schemas.missing_in_public(contract=contract))
    # Before the very first run there are no dojos, and no table of them.
    dojos = (
        Counter((d.version, d.applied) for d in rows.behind(scripts.target)) if schemas.is_prepared() else {}
    )
    groups = [
        (number, version, scripts.from_version(applied)) for (version, applied), number in dojos.items()
    ]
    return Plan(history().version(scripts.target), public, groups)
