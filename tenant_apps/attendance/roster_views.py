"""One session with its roster, and the roster as one thing to save."""

from typing import Any, Final

from rest_framework import serializers
from rest_framework.response import Response

from shared_apps.accounts.models import STAFF_ROLES
from tatami.api.fields import SingleLineField, reference_errors
from tatami.api.permissions import Visibility
from tatami.api.serializers import StrictSerializer
from tatami.api.views import ApiView, get_or_404
from tenant_apps.attendance.roster import ABSENT, EXPECTED, LATE, PRESENT, roster_of, save_roster
from tenant_apps.classes.models import ClassSession
from tenant_apps.classes.serializers import SessionSerializer
from tenant_apps.classes.session_views import SESSIONS, SessionDetail
from tenant_apps.classes.sessions import attach_instructors
from tenant_apps.students.locking import lock_students
from tenant_apps.students.models import Student

MOST_ENTRIES: Final = 500


class StudentShown(StrictSerializer):
    """A reference to a student."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class RosterLineSerializer(StrictSerializer):
    """A student on the roster; `attendance` is the id of the one that stands."""

    student = StudentShown()
    state = serializers.ChoiceField(choices=[EXPECTED, PRESENT, LATE, ABSENT])
    enrolled = serializers.BooleanField(source="is_enrolled")
    trial = serializers.SerializerMethodField()
    attendance = serializers.UUIDField(source="attendance.pk", default=None, allow_null=True)
    checked_in_at = serializers.DateTimeField(
        source="attendance.checked_in_at", default=None, allow_null=True
    )
    method = serializers.CharField(source="attendance.method", default=None, allow_null=True)

    def get_trial(self, line: Any) -> bool:
        return bool(line.student.status == Student.Status.TRIAL)


class SessionWithRosterSerializer(SessionSerializer):
    """A class session; staff see its roster too."""

    roster = RosterLineSerializer(many=True, required=False, read_only=True)

    class Meta(SessionSerializer.Meta):
        fields = (*SessionSerializer.Meta.fields, "roster")  # type: ignore[assignment]

    def to_representation(self, instance: ClassSession) -> dict[str, Any]:
        request = self.context["request"]
        if request.user.role not in STAFF_ROLES:
            self.fields.pop("roster", None)
        else:
            instance.roster = roster_of(instance, now=request.now)  # type: ignore[attr-defined]
        shown: dict[str, Any] = super().to_representation(instance)
        return shown


class SessionResource(SessionDetail):
    """One session, for staff with its roster. A PATCH changes it for itself, not its class."""

    serializer_class = SessionWithRosterSerializer


class EntrySerializer(StrictSerializer):
    student = serializers.UUIDField()
    state = serializers.ChoiceField(choices=[PRESENT, LATE, ABSENT])


class RosterSerializer(StrictSerializer):
    """Who was there. Students who are not named stay as they are; `reason` says why those absent are voided."""

    entries = EntrySerializer(many=True, max_length=MOST_ENTRIES)  # type: ignore[call-arg]
    reason = SingleLineField(max_length=500, required=False, allow_blank=True)

    def validate_entries(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Refuse who is unknown or named twice; the others are locked, so that none is erased meanwhile."""
        named = [entry["student"] for entry in entries]
        faults = reference_errors(
            entries, "student", lock_students(named), twice="This student is named twice."
        )
        if any(faults):
            raise serializers.ValidationError(faults)
        return entries


class Roster(ApiView):
    """Save the roster of a session in one request: present and late record, absent voids."""

    serializer_class = RosterSerializer
    answer_class = SessionWithRosterSerializer

    def put(self, request: Any, id: Any) -> Response:
        session = get_or_404(SESSIONS.all(), pk=id)
        serializer = RosterSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data
        save_roster(
            session=session,
            states={entry["student"]: entry["state"] for entry in values["entries"]},
            reason=values.get("reason", ""),
            by=request.user,
            only_own=request.visibility is Visibility.RECORDED,
            now=request.now,
        )
        attach_instructors([session])
        return Response(SessionWithRosterSerializer(session, context={"request": request}).data)
