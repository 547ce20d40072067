"""What follows from an award of each kind of rank: a mail, a certificate; and whether it needs an exam."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from tenant_apps.dojo.models import DojoSettings

KINDS: Final = ("rank", "sub_rank", "title")
"""The kinds of ranks, as rank systems name them."""


@dataclass(frozen=True, slots=True)
class AwardPolicy:
    """What follows from an award of one kind of rank, and what it needs."""

    mail: bool = True
    """The student is told by mail, if the dojo sends mail about promotions at all (`notify_promotion`)."""
    certificate: bool = True
    needs_exam: bool = False
    """Without an exam, an award needs a reason."""


_DEFAULTS: Final[Mapping[str, AwardPolicy]] = {
    "rank": AwardPolicy(),
    "sub_rank": AwardPolicy(mail=False, certificate=False),
    "title": AwardPolicy(),
}
"""Awards of stripes are not mailed and have no certificate, unless the dojo chooses otherwise."""


@dataclass(frozen=True, slots=True)
class AwardPolicies:
    """The policy of each kind of rank."""

    chosen: Mapping[str, Mapping[str, bool]]
    """What the dojo chose: kind → fields of `AwardPolicy`. The rest has its default."""

    @classmethod
    def of(cls, settings: DojoSettings) -> Self:
        """Return the policies in the settings of a dojo."""
        return cls(settings.award_policies)

    def for_kind(self, kind: str) -> AwardPolicy:
        """Return the policy for a kind of rank."""
        default = _DEFAULTS.get(kind, AwardPolicy())
        chosen = self.chosen.get(kind, {})
        return AwardPolicy(
            mail=chosen.get("mail", default.mail),
            certificate=chosen.get("certificate", default.certificate),
            needs_exam=chosen.get("needs_exam", default.needs_exam),
        )

    def as_data(self) -> dict[str, dict[str, Any]]:
        """Return all policies in the shape of the settings."""
        return {
            kind: {
                "mail": (policy := self.for_kind(kind)).mail,
                "certificate": policy.certificate,
                "needs_exam": policy.needs_exam,
            }
            for kind in KINDS
        }
