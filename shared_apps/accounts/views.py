"""Sign-in and passwords, the caller, the users and the audit log of a host."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final, cast

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from shared_apps.accounts import api_keys, openapi, passwords, second_step, sessions, users
from shared_apps.accounts.models import ApiKey, AuditEntry, Role, User, UserQuerySet
from shared_apps.accounts.password_mails import queue_password_mail
from shared_apps.accounts.serializers import (
    ApiKeySerializer,
    AuditEntrySerializer,
    LoginSerializer,
    MeSerializer,
    NewApiKeySerializer,
    PasswordSerializer,
    PublicUserSerializer,
    RefreshSerializer,
    ResetConfirmSerializer,
    ResetSerializer,
    SignInSerializer,
    TokensSerializer,
    UserSerializer,
)
from tatami.api.filters import by_id, by_text, one_of, since, until, yes_or_no
from tatami.api.pagination import CursorPages
from tatami.api.request import client_address, client_of, requested_host
from tatami.api.responses import created, json_response
from tatami.api.views import ApiView, Collection, Detail, Listing, Resource
from tatami.tenancy.scope import TenantScope, required_scope

USER_ORDERINGS: Final = {"name": "name", "email": "email_key", "created_at": "created_at"}
COLLEAGUE_ORDERINGS: Final = {name: USER_ORDERINGS[name] for name in ("name", "created_at")}


# --- sign-in and passwords --------------------------------------------------------------------------------------------


class AuthView(ApiView):
    """Base of the views below `/auth`: each step commits by itself, and responses are secrets, so none is replayed."""

    atomic = False
    idempotent = False
    max_body_bytes = 16 * 1024  # most of these views need no token, so their bodies must cost little
    serializer_class: type[Any]

    def values(self) -> dict[str, Any]:
        """Return the validated body."""
        serializer = self.serializer_class(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        validated: dict[str, Any] = serializer.validated_data
        return validated


class Login(AuthView):
    """Sign in with e-mail address and password. 401 `second_factor_required` has the challenge of the second step."""

    serializer_class = LoginSerializer
    operations = openapi.LOGIN

    def post(self, request: Any) -> Response:
        user, tokens = second_step.sign_in(
            **self.values(), client=client_of(request), host=requested_host(request), now=request.now
        )
        return Response(SignInSerializer({**asdict(tokens), "user": user}).data)


class Refresh(AuthView):
    """Exchange a refresh token, which works once, for new tokens."""

    serializer_class = RefreshSerializer
    operations = openapi.REFRESH

    def post(self, request: Any) -> Response:
        return Response(TokensSerializer(sessions.renew(**self.values(), now=request.now)).data)


class Logout(AuthView):
    """End the session of a refresh token."""

    serializer_class = RefreshSerializer
    operations = openapi.LOGOUT

    def post(self, request: Any) -> Response:
        sessions.sign_out(**self.values(), now=request.now)
        return Response(status=204)


class ChangePassword(AuthView):
    """Change one's own password; other sessions end."""

    serializer_class = PasswordSerializer
    operations = openapi.CHANGE_PASSWORD

    def post(self, request: Any) -> Response:
        values = self.values()
        passwords.change_password(
            user=request.user,
            current=values["current_password"],
            new=values["new_password"],
            session_id=request.auth.session_id,
            now=request.now,
        )
        return Response(status=204)


class RequestPasswordReset(AuthView):
    """Ask for a link to set a new password. The response is the same whether the address is known or not."""

    serializer_class = ResetSerializer
    operations = openapi.REQUEST_PASSWORD_RESET

    def post(self, request: Any) -> Response:
        passwords.request_link(**self.values(), address=client_address(request), now=request.now)
        return Response(status=204)


class ConfirmPasswordReset(AuthView):
    """Set a new password with the code of a link; all sessions end."""

    serializer_class = ResetConfirmSerializer
    operations = openapi.CONFIRM_PASSWORD_RESET

    def post(self, request: Any) -> Response:
        values = self.values()
        passwords.use_link(
            secret=values["token"],
            new=values["new_password"],
            address=client_address(request),
            now=request.now,
        )
        return Response(status=204)


# --- the caller -------------------------------------------------------------------------------------------------------


class Me(ApiView):
    """The caller: their user, the tenant, and the students they are linked with."""

    serializer_class = MeSerializer

    def get(self, request: Any) -> HttpResponse:
        return json_response(self.me(request.user))

    def patch(self, request: Any) -> Response:
        serializer = self.serializer_class(request.user, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        if "name" in serializer.validated_data:
            users.rename(user=request.user, name=serializer.validated_data["name"])
        return Response(self.me(request.user))

    def me(self, caller: Any) -> dict[str, Any]:
        return me_response(caller, self.linked_students(caller))

    def linked_students(self, caller: Any) -> list[dict[str, Any]]:
        """Return no students, because the platform has none. A dojo's view overrides this."""
        return []


def me_response(caller: Any, students: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the response of `/me` for a user or a device. A device has no address, but a location."""
    scope = required_scope()
    impersonator = getattr(caller, "impersonator", None)
    return {
        "id": caller.pk,
        "email": getattr(caller, "email", None),
        "name": caller.name,
        "role": caller.role,
        "tenant": {
            "id": scope.tenant_id,
            "slug": scope.slug,
            "name": scope.name,
            "timezone": scope.timezone,
        }
        if isinstance(scope, TenantScope)
        else None,
        "students": students,
        **({} if isinstance(caller, User) else {"location": caller.location}),
        **({"impersonated_by": {"id": impersonator.pk, "name": str(impersonator)}} if impersonator else {}),
    }


# --- users ------------------------------------------------------------------------------------------------------------


class ForAdminsOrColleagues:
    """Admins see every field of every user. Other staff see id, name and role of active staff."""

    request: Any
    full_serializer_class: type[Any] = UserSerializer

    def get_queryset(self) -> QuerySet[User]:
        queryset: QuerySet[User] = super().get_queryset()  # type: ignore[misc]
        return queryset if self.is_admin else User.objects.active().staff()

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return self.full_serializer_class if self.is_admin else PublicUserSerializer

    @property
    def is_admin(self) -> bool:
        return getattr(self.request.user, "role", Role.ADMIN) in {Role.ADMIN, None}


class UserCollection(ForAdminsOrColleagues, Collection):
    """List users, and create one. A user without a password is sent a link to set one.

    Callers who may not read e-mail addresses cannot search or order by them either.
    """

    queryset = User.objects.people()
    serializer_class = UserSerializer
    detail_route = "user"
    search_column = "search_name"
    filters = {"role": one_of("role", Role), "is_active": yes_or_no("is_active")}

    @property
    def ordering_fields(self) -> Mapping[str, str]:  # type: ignore[override]
        return USER_ORDERINGS if self.is_admin else COLLEAGUE_ORDERINGS

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        found = cast("UserQuerySet", super().filter_queryset(queryset))
        return found if self.is_admin else found.named_like(self.request.query_params.get("search", ""))

    def perform_create(self, serializer: BaseSerializer[Any]) -> User:
        values = dict(serializer.validated_data)
        password = values.pop("password", None)
        user = users.create_user(
            email=values["email"],
            name=values.get("name", ""),
            role=values["role"],
            is_active=values.get("is_active", True),
            password_hash=users.hash_password(password) if password is not None else None,
        )
        if password is None:
            queue_password_mail(user.email_key, now=self.request.now)
        return user


class UserResource(ForAdminsOrColleagues, Resource):
    """One user: change, archive, restore."""

    queryset = User.objects.people()
    serializer_class = UserSerializer
    password_hash: str | None = None

    def patch(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        if "password" in request.data:
            self.password_hash = self.hash_password()
        return super().patch(request, *args, **kwargs)

    def hash_password(self) -> str:
        """Return the hash of the password in the body. Called before any row is locked, because hashing is slow."""
        user = get_object_or_404(self.get_queryset(), pk=self.kwargs["id"])
        serializer = self.get_serializer(user, data=self.request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return users.hash_password(serializer.validated_data["password"], user)

    def lock_first(self) -> None:
        users.lock_admins()

    def perform_update(self, serializer: BaseSerializer[Any]) -> User:
        changes = dict(serializer.validated_data)
        changes.pop("password", None)
        assert isinstance(serializer.instance, User)
        return users.change_user(
            user=serializer.instance,
            changes=changes,
            now=self.request.now,
            password_hash=self.password_hash,
        )

    def perform_destroy(self, instance: User) -> None:
        users.archive_user(user=instance, now=self.request.now)


# --- API keys ---------------------------------------------------------------------------------------------------------


class ApiKeyCollection(Collection):
    """The API keys, also those that are revoked or expired. POST creates one and shows it once."""

    operations = openapi.API_KEYS
    idempotent = False
    queryset = ApiKey.objects.select_related("user")
    serializer_class = ApiKeySerializer
    detail_route = "api-key"
    ordering_fields = {"name": "name", "created_at": "created_at", "last_used_at": "last_used_at"}

    def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        serializer = ApiKeySerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        values = dict(serializer.validated_data)
        role = values.pop("user")["role"]
        made, key = api_keys.create_api_key(**values, role=role, now=request.now)
        made.key = key  # type: ignore[attr-defined]
        return created(NewApiKeySerializer(made).data, self.detail_route, id=made.pk)


class ApiKeyDetail(Detail):
    """One API key. DELETE revokes it: its next request is refused."""

    operations = openapi.API_KEY
    idempotent = False
    queryset = ApiKey.objects.select_related("user")
    serializer_class = ApiKeySerializer

    def delete(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        api_keys.revoke_api_key(key=self.get_object(), now=request.now)
        return Response(status=204)


# --- the audit log ----------------------------------------------------------------------------------------------------


class AuditLog(Listing):
    """Who changed what, why and from where; newest first."""

    queryset = AuditEntry.objects.with_actors()
    serializer_class = AuditEntrySerializer
    pagination_class = CursorPages
    filters = {
        "actor": by_id("actor"),
        "impersonated_by": by_id("impersonator"),
        "action": by_text("action"),
        "object": by_id("object"),
        "from": since("created_at"),
        "to": until("created_at"),
    }
    operations = openapi.AUDIT_LOG
