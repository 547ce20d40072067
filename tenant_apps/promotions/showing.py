"""How answers about promotions are shown, to clients and in what is kept."""

from typing import Any

from tenant_apps.promotions.check import Answer


def shown_answer(answer: Answer) -> dict[str, Any]:
    """Return one answer as the contract shows it."""
    result, rules = answer.result, answer.rules

    def rank(code: str | None) -> dict[str, Any] | None:
        found = rules.ranks.get(code) if code else None
        return {"id": found.pk, "name": found.name} if found else None

    return {
        "student": {"id": answer.student.pk, "name": answer.student.name},
        "rank_system": {"id": rules.system.pk, "name": rules.system.name},
        "current_rank": rank(result.current_rank),
        "target_rank": rank(result.target_rank),
        "status": result.status.value,
        "path": result.path,
        "earliest_on": result.earliest_on,
        "rule_version": rules.version,
        "criteria": [
            {
                "kind": criterion.kind,
                "status": criterion.status.value,
                "have": criterion.have,
                "need": criterion.need,
                "earliest_on": criterion.earliest_on,
                "message": criterion.message,
            }
            for criterion in result.criteria
        ],
    }
