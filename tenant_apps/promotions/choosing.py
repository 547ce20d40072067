"""Choosing students by what they have in common: for batches, and for whoever is written to."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db.models import Exists, OuterRef
from rest_framework import serializers

from tatami.api.fields import ReferenceField
from tatami.api.serializers import StrictSerializer
from tenant_apps.classes.models import Enrolment, TrainingClass
from tenant_apps.ranks.models import Discipline, Rank, RankSystem
from tenant_apps.students.models import RankEvent, Student, StudentQuerySet


class StudentFilterSerializer(StrictSerializer):
    """What the students have in common: all of what is given. `{}` is every active student."""

    discipline = ReferenceField(queryset=Discipline.objects.live(), required=False)
    rank_system = ReferenceField(queryset=RankSystem.objects.live(), required=False)
    rank = ReferenceField(queryset=Rank.objects.all(), required=False)

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]
        classes = ReferenceField(
            queryset=TrainingClass.objects.live(), source="training_class", required=False
        )
        return {"class": classes, **super().get_fields()}


def chosen(by: Mapping[str, Any], *, on: date) -> StudentQuerySet:
    """Return the active students on a local date who are enrolled in a class or discipline, who hold a rank (then).

    Trial students, students on hold and those who left are none of them.
    """
    students: StudentQuerySet = Student.objects.promotable(on)
    enrolled = Enrolment.objects.filter(student=OuterRef("pk"))
    if "training_class" in by:
        students = students.filter(Exists(enrolled.filter(training_class=by["training_class"])))
    if "discipline" in by:
        students = students.filter(Exists(enrolled.filter(training_class__discipline=by["discipline"])))
    held = RankEvent.objects.not_voided().filter(student=OuterRef("pk"), effective_on__lte=on)
    if "rank_system" in by:
        students = students.filter(Exists(held.filter(system=by["rank_system"])))
    if "rank" in by:
        # The last event of each student and system is the rank that is held.
        system = by["rank"].system_id
        current = held.filter(system=system).latest_last().reverse().values("rank")[:1]
        students = students.alias(rank_held=current).filter(rank_held=by["rank"].pk)
    return students
