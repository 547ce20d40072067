"""The results of an exam: outcomes, marks, conditions and their fulfilment."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from django.utils.translation import gettext, gettext_lazy, gettext_noop
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tatami.api.fields import SingleLineField, reference_errors
from tatami.api.serializers import StrictSerializer
from tatami.clock import tenant_date
from tenant_apps.promotions.exams import ExamResult
from tenant_apps.promotions.models import Candidate, Exam
from tenant_apps.ranks.definition import ExamRules
from tenant_apps.ranks.definition.json_schema import BEST_MARK, LONGEST_NAME, MOST_TECHNIQUES
from tenant_apps.ranks.services import rules_in_force
from tenant_apps.students.serializers import Number, PlausibleDate

MOST_CANDIDATES: Final = 500
DUPLICATE: Final = gettext_noop("This id appears twice in the list.")
_ONLY_PASSED: Final = {
    "override_reason": gettext_noop("A reason is accepted only for the outcome `passed`."),
    "condition": gettext_noop("A condition is accepted only for the outcome `passed`."),
}


class ConditionSerializer(StrictSerializer):
    """What has to be done, and the last day for it, before the rank is awarded."""

    text = SingleLineField(max_length=500)
    until = PlausibleDate()


@extend_schema_field({"type": "object", "additionalProperties": {"type": "number"}})
class MarksField(serializers.DictField):
    """Technique → mark, from 0 to the best mark. Techniques are names in one line."""

    default_error_messages = {"many": gettext_lazy("There are too many techniques.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=Number(BEST_MARK), allow_empty=True, **kwargs)

    def to_internal_value(self, data: Any) -> dict[str, float]:
        if isinstance(data, dict):
            if len(data) > MOST_TECHNIQUES:
                self.fail("many")
            name = SingleLineField(max_length=LONGEST_NAME)
            data = {name.run_validation(technique): mark for technique, mark in data.items()}
        marks: dict[str, float] = super().to_internal_value(data)
        return marks


class ResultSerializer(StrictSerializer):
    """The result of a candidate. Without an `outcome`, the marks decide, if the rules of the rank have a pass mark."""

    candidate = serializers.UUIDField()
    outcome = serializers.ChoiceField(choices=Candidate.Outcome.choices, required=False)
    marks = MarksField(required=False)
    condition = ConditionSerializer(required=False, allow_null=True)
    override_reason = SingleLineField(max_length=500, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        exam: Exam = self.context["exam"]
        if "outcome" not in attrs and not attrs.get("marks"):
            raise serializers.ValidationError({"outcome": [gettext("Send an outcome or marks.")]})
        if attrs.get("outcome", Candidate.Outcome.PASSED) != Candidate.Outcome.PASSED:
            for field in ("override_reason", "condition"):
                if attrs.get(field):
                    raise serializers.ValidationError({field: [gettext(_ONLY_PASSED[field])]})
        if attrs.get("condition") and attrs["condition"]["until"] < exam.date:
            raise serializers.ValidationError({"condition": {"until": [gettext("This is before the exam.")]}})
        return attrs


class ResultsSerializer(StrictSerializer):
    """The results of some candidates or all. A later result of a candidate replaces the earlier one."""

    results = ResultSerializer(many=True, allow_empty=False, max_length=MOST_CANDIDATES)  # type: ignore[call-arg]

    def validate_results(self, entries: list[dict[str, Any]]) -> list[ExamResult]:
        """Return the results. Four statements, however many."""
        exam: Exam = self.context["exam"]
        targets = dict(Candidate.objects.filter(exam=exam).values_list("pk", "target__code"))
        faults = reference_errors(entries, "candidate", set(targets), twice=gettext(DUPLICATE))
        if any(faults):
            raise serializers.ValidationError(faults)
        (rules,) = rules_in_force(on=exam.date, only=exam.rank_system)
        exam_rules = {code: rules.definition.exam_rules(code) for code in set(targets.values())}
        results = []
        for fault, entry in zip(faults, entries, strict=True):
            rule = exam_rules[targets[entry["candidate"]]]
            fault.update(_mark_faults(entry, rule))
            results.append(_exam_result(entry, rule))
        if any(faults):
            raise serializers.ValidationError(faults)
        return results


def _mark_faults(entry: Mapping[str, Any], rules: ExamRules) -> dict[str, Any]:
    """Return what is wrong with the marks of a result by the rules of its rank, by field."""
    marks: Mapping[str, float] = entry.get("marks", {})
    faults: dict[str, list[str]] = {}
    for technique, mark in marks.items():
        if rules.techniques and technique not in rules.techniques:
            faults[technique] = [gettext("The rules of this rank do not have this technique.")]
        elif rules.best_mark is not None and mark > rules.best_mark:
            faults[technique] = [gettext("The best mark is {mark}.").format(mark=rules.best_mark)]
    if faults:
        return {"marks": faults}
    if "outcome" not in entry and rules.pass_mark is None:
        return {"outcome": [gettext("The rules of this rank have no pass mark: send an outcome.")]}
    return {}


def _exam_result(entry: Mapping[str, Any], rules: ExamRules) -> ExamResult:
    marks = entry.get("marks", {})
    by_marks = Candidate.Outcome.FAILED if rules.low_marks(marks) else Candidate.Outcome.PASSED
    condition = entry.get("condition") or {"text": "", "until": None}
    outcome = entry.get("outcome", by_marks)
    reason = entry.get("override_reason", "")
    if "outcome" not in entry and (reason or condition["text"]):
        outcome = Candidate.Outcome.PASSED
    return ExamResult(entry["candidate"], outcome, reason, marks, condition["text"], condition["until"])


class FulfilmentSerializer(StrictSerializer):
    """The day on which the condition of a candidate was met (default: today). A reason counts after the deadline."""

    met_on = PlausibleDate(required=False)
    override_reason = SingleLineField(max_length=500, required=False)

    def validate_met_on(self, value: date) -> date:
        exam: Exam = self.context["exam"]
        if value < exam.date:
            raise serializers.ValidationError(gettext("This is before the exam."))
        if value > tenant_date(self.context["request"].now):
            raise serializers.ValidationError(gettext("This day has not come yet."))
        return value
