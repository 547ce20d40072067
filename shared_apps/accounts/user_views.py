"""The users of this host, for admins; what colleagues may see of them, for other staff."""

from collections.abc import Mapping
from typing import Any, Final, cast

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from shared_apps.accounts import users
from shared_apps.accounts.models import Role, User, UserQuerySet
from shared_apps.accounts.passwords import send_link
from shared_apps.accounts.serializers import PublicUserSerializer, UserSerializer
from tatami.api.filters import one_of, yes_or_no
from tatami.api.views import Collection, Resource

ORDERS: Final = {"name": "name", "email": "email_key", "created_at": "created_at"}
ORDERS_OF_COLLEAGUES: Final = {name: ORDERS[name] for name in ("name", "created_at")}


class ForAdminsOrColleagues:
    """Admins see all of every user; other staff see id, name and role of active staff."""

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
    """The users, and the making of one. Without a password he is mailed a link to set one.

    Who may not read addresses cannot find or order anybody by them either.
    """

    queryset = User.objects.all()
    serializer_class = UserSerializer
    detail_route = "user"
    search_column = "search_name"
    filters = {"role": one_of("role", Role), "is_active": yes_or_no("is_active")}

    @property
    def ordering_fields(self) -> Mapping[str, str]:  # type: ignore[override]
        return ORDERS if self.is_admin else ORDERS_OF_COLLEAGUES

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        found = cast("UserQuerySet", super().filter_queryset(queryset))
        return found if self.is_admin else found.called(self.request.query_params.get("search", ""))

    def perform_create(self, serializer: BaseSerializer[Any]) -> User:
        values = dict(serializer.validated_data)
        password = values.pop("password", None)
        user = users.create_user(
            email=values["email"],
            name=values.get("name", ""),
            role=values["role"],
            is_active=values.get("is_active", True),
            password_hash=users.hashed_password(password) if password is not None else None,
        )
        if password is None:
            send_link(user, now=self.request.now)
        return user


class UserResource(ForAdminsOrColleagues, Resource):
    """One user: change, archive, restore."""

    queryset = User.objects.all()
    serializer_class = UserSerializer
    password_hash: str | None = None

    def patch(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        if "password" in request.data:
            self.password_hash = self.hash_password()
        return super().patch(request, *args, **kwargs)

    def hash_password(self) -> str:
        """Return the hash of the password in the body, before any row is locked: it is slow on purpose."""
        user = get_object_or_404(self.get_queryset(), pk=self.kwargs["id"])
        serializer = self.get_serializer(user, data=self.request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return users.hashed_password(serializer.validated_data["password"], user)

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
