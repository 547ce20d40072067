"""A small site for the tests of the HTTP kernel: no app, no database, every way to answer and to fail."""

from typing import Any
from uuid import NAMESPACE_DNS, UUID, uuid5

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import SuspiciousOperation
from django.db import IntegrityError, OperationalError
from django.http import Http404, HttpRequest
from django.urls import include, path
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from tatami.api.openapi.document import BearerScheme
from tatami.api.request import ApiRequest
from tatami.api.rules import ALL, AUTHENTICATED, OWN, PUBLIC, RECORDED, Table, rule
from tatami.api.serializers import Line, StrictSerializer, Text
from tatami.api.views import ApiView, Listing
from tatami.errors import DomainError, Throttled, TokenExpired, TokenInvalid


class Somebody:
    """A caller in the role that the token names."""

    is_authenticated = True

    def __init__(self, role: str) -> None:
        self.role = role
        self.id = self.pk = uuid5(NAMESPACE_DNS, role)


class RoleAsToken(BaseAuthentication):
    """`Bearer admin` is an admin."""

    def authenticate(self, request: Request) -> Any:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token == "expired":
            raise TokenExpired
        if token == "forged":
            raise TokenInvalid
        return (Somebody(token), None) if token else None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class RoleAsTokenScheme(BearerScheme):
    target_class = RoleAsToken


class SampleView(ApiView):
    audited = False  # no rows here, and no scope
    authentication_classes = [RoleAsToken]
    atomic = False


class GuardianSerializer(StrictSerializer):
    name = Line(max_length=20)
    email = serializers.EmailField(required=False)


class StudentSerializer(StrictSerializer):
    id = serializers.UUIDField(read_only=True)
    name = Line(max_length=20)
    note = Text(required=False, allow_blank=True)
    guardians = GuardianSerializer(many=True, required=False)


class Echo(SampleView):
    """Answers what it was told."""

    def get(self, request: ApiRequest) -> Response:
        return Response({"query": request.query_params, "reach": request.reach.value, "now": request.now})

    def post(self, request: ApiRequest) -> Response:
        return Response({"body": request.data})


class Thing(SampleView):
    """Is named by a UUID."""

    schema = None

    def get(self, request: ApiRequest, id: UUID) -> Response:
        return Response({"id": id})


class Students(SampleView):
    """Reads a body strictly."""

    serializer_class = StudentSerializer

    def post(self, request: ApiRequest) -> Response:
        serializer = StudentSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(serializer.validated_data, status=201)


class Numbers(SampleView, Listing):
    """A list of the numbers up to 120."""

    serializer_class = StudentSerializer

    def get(self, request: ApiRequest) -> Response:
        return self.get_paginated_response(self.paginate_queryset(list(range(1, 121))))  # type: ignore[arg-type]


class Arrays(SampleView):
    """Takes an array, and at most 100 bytes."""

    accepts_array = True
    max_body_bytes = 100
    schema = None

    def post(self, request: ApiRequest) -> Response:
        return Response({"length": len(request.data)})


class Upload(SampleView):
    """Takes a form with a file."""

    parser_classes = [MultiPartParser]
    schema = None

    def post(self, request: ApiRequest) -> Response:
        return Response({"parts": sorted(request.data)})


class FloorIsWet(DomainError):
    """The floor is wet."""

    code = "floor_is_wet"


class Failing(SampleView):
    """Raises what the path names."""

    schema = None

    def get(self, request: ApiRequest, what: str) -> Response:
        if what == "unencodable":
            return Response({"x": object()})
        raise {
            "domain": FloorIsWet(details={"floor": ["wet"]}),
            "throttled": Throttled(retry_after=7),
            "bug": RuntimeError("secret detail"),
            "database": OperationalError("connection refused"),
            "integrity": IntegrityError(
                "check violated\nDETAIL:  Failing row contains (Mary, mary@dojo.example)."
            ),
            "gone": Http404(),
            "forbidden": DjangoPermissionDenied(),
            "suspicious": SuspiciousOperation(),
            "invalid": serializers.ValidationError([{}, {"email": ["Bad."]}]),
        }[what]


class Closed(SampleView):
    """Is not in the table."""

    schema = None

    def get(self, request: ApiRequest) -> Response:
        return Response({})


def plain(request: HttpRequest) -> Any:
    raise RuntimeError("a view outside the API")


urlpatterns = [
    path("echo", Echo.as_view(), name="echo"),
    path("open", Echo.as_view(), name="open"),
    path("anybody", Echo.as_view(), name="anybody"),
    path("things/<uuid:id>", Thing.as_view(), name="thing"),
    path("students", Students.as_view(), name="students"),
    path("numbers", Numbers.as_view(), name="numbers"),
    path("arrays", Arrays.as_view(), name="arrays"),
    path("upload", Upload.as_view(), name="upload"),
    path("failing/<what>", Failing.as_view(), name="failing"),
    path("closed", Closed.as_view(), name="closed"),
    path("", include("tatami.api.urls")),
]
handler400 = handler403 = handler404 = handler500 = "tatami.api.errors.handler"

ACCESS: Table = {
    "echo": {"GET": rule(admin=ALL, student=OWN, assistant=RECORDED), "POST": rule(admin=ALL)},
    "open": {"GET": PUBLIC, "POST": PUBLIC},
    "anybody": {"GET": AUTHENTICATED, "POST": AUTHENTICATED},
    "thing": {"GET": AUTHENTICATED},
    "students": {"POST": rule(admin=ALL)},
    "numbers": {"GET": rule(admin=ALL)},
    "arrays": {"POST": rule(admin=ALL)},
    "upload": {"POST": rule(admin=ALL)},
    "failing": {"GET": PUBLIC},
    "openapi": {"GET": PUBLIC},
    "docs": {"GET": PUBLIC},
}
