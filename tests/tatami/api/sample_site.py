"""A small site for tests of the HTTP kernel: no app and no database, with every kind of response and error."""

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

from tatami.api.fields import MultiLineField, SingleLineField
from tatami.api.openapi.document import BearerScheme
from tatami.api.permissions import ALL, AUTHENTICATED, OWN, PUBLIC, RECORDED, RuleTable, rule
from tatami.api.request import ApiRequest
from tatami.api.serializers import StrictSerializer
from tatami.api.views import ApiView, Listing
from tatami.errors import DomainError, Throttled, TokenExpired, TokenInvalid


class SampleCaller:
    """A caller with the role that the token names."""

    is_authenticated = True

    def __init__(self, role: str) -> None:
        self.role = role
        self.id = self.pk = uuid5(NAMESPACE_DNS, role)


class RoleAsToken(BaseAuthentication):
    """The token is the role: `Bearer admin` is an admin."""

    def authenticate(self, request: Request) -> Any:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token == "expired":
            raise TokenExpired
        if token == "forged":
            raise TokenInvalid
        return (SampleCaller(token), None) if token else None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class RoleAsTokenScheme(BearerScheme):
    target_class = RoleAsToken


class SampleView(ApiView):
    audited = False  # there is no database, and no scope
    authentication_classes = [RoleAsToken]
    atomic = False


class GuardianSerializer(StrictSerializer):
    name = SingleLineField(max_length=20)
    email = serializers.EmailField(required=False)


class StudentSerializer(StrictSerializer):
    id = serializers.UUIDField(read_only=True)
    name = SingleLineField(max_length=20)
    note = MultiLineField(required=False, allow_blank=True)
    guardians = GuardianSerializer(many=True, required=False)


class Echo(SampleView):
    """Returns the query, the visibility and `now`, or the body."""

    def get(self, request: ApiRequest) -> Response:
        return Response(
            {"query": request.query_params, "visibility": request.visibility.value, "now": request.now}
        )

    def post(self, request: ApiRequest) -> Response:
        return Response({"body": request.data})


class DetailById(SampleView):
    """Has a UUID in its path."""

    schema = None

    def get(self, request: ApiRequest, id: UUID) -> Response:
        return Response({"id": id})


class Students(SampleView):
    """Validates a body."""

    serializer_class = StudentSerializer

    def post(self, request: ApiRequest) -> Response:
        serializer = StudentSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(serializer.validated_data, status=201)


class Numbers(SampleView, Listing):
    """A list of the numbers 1 to 120."""

    serializer_class = StudentSerializer

    def get(self, request: ApiRequest) -> Response:
        return self.get_paginated_response(self.paginate_queryset(list(range(1, 121))))  # type: ignore[arg-type]


class Arrays(SampleView):
    """Accepts an array, and at most 100 bytes."""

    accepts_array = True
    max_body_bytes = 100
    schema = None

    def post(self, request: ApiRequest) -> Response:
        return Response({"length": len(request.data)})


class Upload(SampleView):
    """Accepts a multipart form."""

    parser_classes = [MultiPartParser]
    schema = None

    def post(self, request: ApiRequest) -> Response:
        return Response({"parts": sorted(request.data)})


class FloorIsWet(DomainError):
    """The floor is wet."""

    code = "floor_is_wet"


class Failing(SampleView):
    """Raises the exception that the path names."""

    schema = None

    def get(self, request: ApiRequest, exception: str) -> Response:
        if exception == "unencodable":
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
        }[exception]


class WithoutRule(SampleView):
    """Has no access rule."""

    schema = None

    def get(self, request: ApiRequest) -> Response:
        return Response({})


def view_of_django(request: HttpRequest) -> Any:
    raise RuntimeError("a view outside the API")


urlpatterns = [
    path("echo", Echo.as_view(), name="echo"),
    path("open", Echo.as_view(), name="open"),
    path("any-role", Echo.as_view(), name="any-role"),
    path("details/<uuid:id>", DetailById.as_view(), name="detail"),
    path("students", Students.as_view(), name="students"),
    path("numbers", Numbers.as_view(), name="numbers"),
    path("arrays", Arrays.as_view(), name="arrays"),
    path("upload", Upload.as_view(), name="upload"),
    path("failing/<exception>", Failing.as_view(), name="failing"),
    path("without-rule", WithoutRule.as_view(), name="without-rule"),
    path("", include("tatami.api.openapi.views")),
]
handler400 = handler403 = handler404 = handler500 = "tatami.api.exception_mapping.error_handler"

ACCESS: RuleTable = {
    "echo": {"GET": rule(admin=ALL, student=OWN, assistant=RECORDED), "POST": rule(admin=ALL)},
    "open": {"GET": PUBLIC, "POST": PUBLIC},
    "any-role": {"GET": AUTHENTICATED, "POST": AUTHENTICATED},
    "detail": {"GET": AUTHENTICATED},
    "students": {"POST": rule(admin=ALL)},
    "numbers": {"GET": rule(admin=ALL)},
    "arrays": {"POST": rule(admin=ALL)},
    "upload": {"POST": rule(admin=ALL)},
    "failing": {"GET": PUBLIC},
    "openapi": {"GET": PUBLIC},
    "docs": {"GET": PUBLIC},
}
