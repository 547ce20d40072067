"""Select students by criteria, for batches, exam invitations and notifications."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from django.db.models import Exists, OuterRef
from rest_framework import serializers

from tatami.api.fields import ReferenceField
from tatami.api.serializers import StrictSerializer
from tenant_apps.classes.models import Enrolment, TrainingClass
from tenant_apps.ranks.models import Discipline, Rank, RankSystem
from tenant_apps.students.models import RankEvent, Student, StudentQuerySet

MOST_STUDENTS: Final = 10_000
"""The number of students that one request may name."""


class StudentFilterSerializer(StrictSerializer):
    """Criteria that the students meet, all of them. `{}` selects every active student."""

    discipline = ReferenceField(queryset=Discipline.objects.not_archived(), required=False)
    rank_system = ReferenceField(queryset=RankSystem.objects.not_archived(), required=False)
    rank = ReferenceField(queryset=Rank.objects.all(), required=False)

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]
        classes = ReferenceField(
            queryset=TrainingClass.objects.not_archived(), source="training_class", required=False
        )
        return {"class": classes, **super().get_fields()}


def filter_students(by: Mapping[str, Any], *, on: date) -> StudentQuerySet:
    """Return the active students that meet the criteria on a local date.

    Trial students, students on hold and students who left are never selected.
    """
    return meeting(Student.objects.promotable(on), by, on=on)


def meeting(students: StudentQuerySet, by: Mapping[str, Any], *, on: date) -> StudentQuerySet:
    """Return those of `students` that meet the criteria on a local date.

    `by` is the validated data of `StudentFilterSerializer`: enrolments are those of now, ranks are those held on the
    date.
    """
    enrolled = Enrolment.objects.filter(student=OuterRef("pk"))
    if "training_class" in by:
        students = students.filter(Exists(enrolled.filter(training_class=by["training_class"])))
    if "discipline" in by:
        students = students.filter(Exists(enrolled.filter(training_class__discipline=by["discipline"])))
    held = RankEvent.objects.not_voided().filter(student=OuterRef("pk"), effective_on__lte=on)
    if "rank_system" in by:
        students = students.filter(Exists(held.filter(system=by["rank_system"])))
    if "rank" in by:
        # The rank held is that of the last event of the student in the rank system.
        system = by["rank"].system_id
        current = held.filter(system=system).latest_last().reverse().values("rank")[:1]
        students = students.alias(rank_held=current).filter(rank_held=by["rank"].pk)
    return students
