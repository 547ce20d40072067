"""The users of the dojo and the caller: the views of `shared_apps.accounts`, with the linked students."""

from typing import Any, Final

from rest_framework.serializers import BaseSerializer

from shared_apps.accounts import views
from shared_apps.accounts.models import User
from shared_apps.accounts.serializers import UserSerializer
from tatami.api.fields import ReferenceField
from tatami.postgresql.statements import Statement
from tenant_apps.students.models import Student, full_name
from tenant_apps.students.services import link_user


class DojoUserSerializer(UserSerializer):
    """A user of a dojo, with the linked students."""

    students = ReferenceField(queryset=Student.objects.not_archived(), many=True, required=False)

    class Meta(UserSerializer.Meta):
        fields = (*UserSerializer.Meta.fields, "students")  # type: ignore[assignment]


class DojoUserCollection(views.UserCollection):
    queryset = User.objects.people().prefetch_related("students")
    full_serializer_class = DojoUserSerializer

    def perform_create(self, serializer: BaseSerializer[Any]) -> User:
        students = serializer.validated_data.pop("students", [])
        user = super().perform_create(serializer)
        link_user(user=user, students=students)
        return user


class DojoUserResource(views.UserResource):
    queryset = User.objects.people().prefetch_related("students")
    full_serializer_class = DojoUserSerializer
    refetch = True

    def perform_update(self, serializer: BaseSerializer[Any]) -> User:
        students = serializer.validated_data.pop("students", None)
        user = super().perform_update(serializer)
        if students is not None:
            link_user(user=user, students=students)
        return user


# `StudentQuerySet.belonging_to` of the students that are not archived, for a request that clients send often.
LINKED_STUDENTS: Final = Statement(
    "linked_students",
    """
SELECT s.id, s.first_name, s.last_name, s.family_first
FROM students_studentuser l JOIN students_student s ON s.id = l.student_id
WHERE l.user_id = $1 AND s.archived_at IS NULL AND s.erased_at IS NULL
ORDER BY s.id
""",
)


class DojoMe(views.Me):
    def linked_students(self, caller: Any) -> list[dict[str, Any]]:
        if not isinstance(caller, User):
            return []
        return [
            {"id": key, "name": full_name(first, last, family_first)}
            for key, first, last, family_first in LINKED_STUDENTS.rows(caller.pk)
        ]
