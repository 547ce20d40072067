"""Plain CRUD over a real table (users, in the platform's own schema) for the tests that need rows."""

from typing import Any, ClassVar

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from shared_apps.accounts.models import Session, User, UserQuerySet
from tatami.api.filters import one_of, since
from tatami.api.pagination import CursorPages
from tatami.api.references import Reference
from tatami.api.request import ApiRequest
from tatami.api.rules import ALL, OWN, Table, rule
from tatami.api.serializers import Archived, StrictModelSerializer, StrictSerializer
from tatami.api.views import ApiView, Collection, Listing, Resource
from tatami.errors import DomainError
from tatami.tenancy.scope import platform_scope
from tatami.text import email_key
from tests.tatami.api.sample import RoleAsToken


class Rows(UserQuerySet):
    """Users, of whom each sees himself."""

    def belonging_to(self, user: Any) -> "Rows":
        return self.filter(email_key=f"{user.role}@example.com")


class RowSerializer(StrictModelSerializer):
    archived = Archived()

    class Meta:
        model = User
        fields = ("name", "email", "role", "archived")


class List(Collection):
    """Users."""

    authentication_classes = [RoleAsToken]
    queryset = Rows(User)
    serializer_class = RowSerializer
    detail_route = "row"
    search_column = "email_key"
    ordering_fields = {"name": "name", "email": "email_key"}
    filters: ClassVar[Any] = {"role": one_of("role", ["admin", "student"]), "from": since("created_at")}

    def perform_create(self, serializer: BaseSerializer[Any]) -> Any:
        return serializer.save(email_key=email_key(serializer.validated_data["email"]), password="!")


class Newest(Listing):
    """Users, newest first."""

    authentication_classes = [RoleAsToken]
    queryset = Rows(User)
    serializer_class = RowSerializer
    pagination_class = CursorPages


class One(Resource):
    """A user."""

    authentication_classes = [RoleAsToken]
    queryset = Rows(User)
    serializer_class = RowSerializer


def colleagues(request: Request) -> Rows:
    """Return whom the caller may name."""
    return Rows(User).exclude(pk=request.user.pk)


class Pair(StrictSerializer):
    first = Reference(queryset=Rows(User), required=False)
    rest = Reference(queryset=colleagues, many=True, required=False)


class References(ApiView):
    """Names users."""

    authentication_classes = [RoleAsToken]
    serializer_class = Pair

    def post(self, request: ApiRequest) -> Response:
        pair = Pair(data=request.data, context={"request": request})
        pair.is_valid(raise_exception=True)
        return Response(Pair(pair.validated_data).data)


class Halfway(ApiView):
    """Makes a row, then ends as the path says."""

    authentication_classes = [RoleAsToken]
    schema = None

    def post(self, request: ApiRequest, how: str) -> Response:
        User.objects.create(
            name=how, email=f"{how}@example.com", email_key=f"{how}@example.com", role="student"
        )
        if how == "refused":
            raise DomainError
        if how == "broken":
            raise RuntimeError
        return Response(
            {"x": object()} if how == "unencodable" else {}, status=409 if how == "outcome" else 201
        )


class Secret(ApiView):
    """Answers a new secret each time."""

    authentication_classes = [RoleAsToken]
    idempotent = False
    schema = None

    def post(self, request: ApiRequest) -> Response:
        return Response({"sessions": Session.objects.count()}, status=201)


urlpatterns = [
    path("rows", List.as_view(), name="rows"),
    path("rows/<uuid:id>", One.as_view(), name="row"),
    path("newest", Newest.as_view(), name="newest"),
    path("references", References.as_view(), name="references"),
    path("halfway/<how>", Halfway.as_view(), name="halfway"),
    path("secret", Secret.as_view(), name="secret"),
]
handler400 = handler403 = handler404 = handler500 = "tatami.api.errors.handler"

_STAFF = rule(admin=ALL, assistant=ALL)
ACCESS: Table = {
    "rows": {"GET": rule(admin=ALL, student=OWN), "POST": _STAFF},
    "row": {"GET": rule(admin=ALL, student=OWN), "PATCH": _STAFF, "DELETE": rule(admin=ALL)},
    "newest": {"GET": rule(admin=ALL)},
    "references": {"POST": rule(admin=ALL)},
    "halfway": {"POST": rule(admin=ALL)},
    "secret": {"POST": rule(admin=ALL)},
}


def on_the_platform(get_response: Any) -> Any:
    """Middleware: every host is the platform's."""

    def middleware(request: Any) -> Any:
        with platform_scope():
            return get_response(request)

    return middleware
