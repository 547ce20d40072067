"""A site with generic views over a real table, the users of the platform, for tests that need rows."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from shared_apps.accounts.models import Session, User, UserQuerySet
from tatami.api.fields import ArchivedField, ReferenceField
from tatami.api.filters import one_of, since
from tatami.api.pagination import CursorPages
from tatami.api.permissions import ALL, OWN, RECORDED, RuleTable, rule
from tatami.api.request import ApiRequest
from tatami.api.serializers import StrictModelSerializer, StrictSerializer
from tatami.api.views import ApiView, Collection, Listing, Resource
from tatami.errors import DomainError
from tatami.tenancy.scope import platform_scope
from tatami.text import email_key
from tests.tatami.api.sample_site import RoleAsToken


class SampleUsers(UserQuerySet):
    """Users. A caller sees with OWN the user of their role, with RECORDED new users named after their role."""

    def belonging_to(self, user: Any) -> "SampleUsers":
        return self.filter(email_key=f"{user.role}@example.com")

    def recorded_by(self, user: Any, now: datetime) -> "SampleUsers":
        return self.filter(created_at__gte=now - timedelta(hours=1), name__startswith=user.role)


class UserSerializer(StrictModelSerializer):
    archived = ArchivedField()

    class Meta:
        model = User
        fields = ("name", "email", "role", "archived")


class Users(Collection):
    """Users."""

    authentication_classes = [RoleAsToken]
    queryset = SampleUsers(User)
    serializer_class = UserSerializer
    detail_route = "user"
    search_column = "email_key"
    ordering_fields = {"name": "name", "email": "email_key"}
    filters: ClassVar[Any] = {"role": one_of("role", ["admin", "student"]), "from": since("created_at")}

    def perform_create(self, serializer: BaseSerializer[Any]) -> Any:
        return serializer.save(email_key=email_key(serializer.validated_data["email"]), password="!")


class NewestUsers(Listing):
    """Users, newest first."""

    authentication_classes = [RoleAsToken]
    queryset = SampleUsers(User)
    serializer_class = UserSerializer
    pagination_class = CursorPages


class UserResource(Resource):
    """A user."""

    authentication_classes = [RoleAsToken]
    queryset = SampleUsers(User)
    serializer_class = UserSerializer


def colleagues(request: Request) -> SampleUsers:
    """Return the users that the caller may refer to."""
    return SampleUsers(User).exclude(pk=request.user.pk)


class ReferencesSerializer(StrictSerializer):
    first = ReferenceField(queryset=SampleUsers(User), required=False)
    rest = ReferenceField(queryset=colleagues, many=True, required=False)


class References(ApiView):
    """Refers to users."""

    authentication_classes = [RoleAsToken]
    serializer_class = ReferencesSerializer

    def post(self, request: ApiRequest) -> Response:
        serializer = ReferencesSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        return Response(ReferencesSerializer(serializer.validated_data).data)


class CreateThenEnd(ApiView):
    """Creates a row, then ends in the way that the path names."""

    authentication_classes = [RoleAsToken]
    schema = None

    def post(self, request: ApiRequest, end: str) -> Response:
        User.objects.create(
            name=end, email=f"{end}@example.com", email_key=f"{end}@example.com", role="student"
        )
        if end == "refused":
            raise DomainError
        if end == "broken":
            raise RuntimeError
        return Response(
            {"x": object()} if end == "unencodable" else {}, status=409 if end == "outcome" else 201
        )


class Secret(ApiView):
    """Returns a new secret each time."""

    authentication_classes = [RoleAsToken]
    idempotent = False
    schema = None

    def post(self, request: ApiRequest) -> Response:
        return Response({"sessions": Session.objects.count()}, status=201)


urlpatterns = [
    path("users", Users.as_view(), name="users"),
    path("users/<uuid:id>", UserResource.as_view(), name="user"),
    path("newest", NewestUsers.as_view(), name="newest"),
    path("references", References.as_view(), name="references"),
    path("create-then/<end>", CreateThenEnd.as_view(), name="create-then"),
    path("secret", Secret.as_view(), name="secret"),
]
handler400 = handler403 = handler404 = handler500 = "tatami.api.exception_mapping.error_handler"

_STAFF = rule(admin=ALL, assistant=ALL)
ACCESS: RuleTable = {
    "users": {"GET": rule(admin=ALL, student=OWN, assistant=RECORDED), "POST": _STAFF},
    "user": {"GET": rule(admin=ALL, student=OWN), "PATCH": _STAFF, "DELETE": rule(admin=ALL)},
    "newest": {"GET": rule(admin=ALL)},
    "references": {"POST": rule(admin=ALL)},
    "create-then": {"POST": rule(admin=ALL)},
    "secret": {"POST": rule(admin=ALL)},
}


def platform_scope_middleware(get_response: Any) -> Any:
    """Middleware: every host is the platform host."""

    def middleware(request: Any) -> Any:
        with platform_scope():
            return get_response(request)

    return middleware
