"""Signing in and out, and oneself. On every host."""

from typing import Any

from rest_framework.response import Response

from shared_apps.accounts import passwords, sessions, users
from shared_apps.accounts.models import User
from shared_apps.accounts.serializers import (
    DeviceMeSerializer,
    LoginSerializer,
    MeSerializer,
    PasswordSerializer,
    RefreshSerializer,
    ResetConfirmSerializer,
    ResetSerializer,
    SignedInUserSerializer,
    SignInSerializer,
    TokensSerializer,
)
from tatami.api.request import client_address
from tatami.api.views import ApiView


class SignInView(ApiView):
    """What all views of `/auth` share: each step commits by itself, and the answers are secrets."""

    atomic = False
    idempotent = False
    serializer_class: type[Any]

    def values(self) -> dict[str, Any]:
        """Return the validated body."""
        serializer = self.serializer_class(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        validated: dict[str, Any] = serializer.validated_data
        return validated


class Login(SignInView):
    """Sign in by e-mail address and password."""

    serializer_class = LoginSerializer
    answer_class = SignInSerializer

    def post(self, request: Any) -> Response:
        user, tokens = sessions.sign_in(**self.values(), address=client_address(request), now=request.now)
        return Response({**TokensSerializer(tokens).data, "user": SignedInUserSerializer(user).data})


class Refresh(SignInView):
    """Exchange a refresh token, which works once, for new tokens."""

    serializer_class = RefreshSerializer
    answer_class = TokensSerializer

    def post(self, request: Any) -> Response:
        return Response(TokensSerializer(sessions.renew(**self.values(), now=request.now)).data)


class Logout(SignInView):
    """End the session of a refresh token."""

    serializer_class = RefreshSerializer

    def post(self, request: Any) -> Response:
        sessions.sign_out(**self.values(), now=request.now)
        return Response(status=204)


class ChangePassword(SignInView):
    """Change one's own password; other sessions end."""

    serializer_class = PasswordSerializer

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


class RequestPasswordReset(SignInView):
    """Ask for a link to set a new password. Answers alike whether the address is known or not."""

    serializer_class = ResetSerializer

    def post(self, request: Any) -> Response:
        passwords.request_link(**self.values(), address=client_address(request), now=request.now)
        return Response(status=204)


class ConfirmPasswordReset(SignInView):
    """Set a new password by the link's code; all sessions end."""

    serializer_class = ResetConfirmSerializer

    def post(self, request: Any) -> Response:
        values = self.values()
        passwords.use_link(
            secret=values["token"],
            new=values["new_password"],
            address=client_address(request),
            now=request.now,
        )
        return Response(status=204)


class Me(ApiView):
    """The caller: who he is here, and for whom he speaks."""

    serializer_class = MeSerializer

    def get(self, request: Any) -> Response:
        shown_by = self.serializer_class if isinstance(request.user, User) else DeviceMeSerializer
        return Response(shown_by(request.user).data)

    def patch(self, request: Any) -> Response:
        serializer = self.serializer_class(request.user, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        if "name" in serializer.validated_data:
            users.rename(user=request.user, name=serializer.validated_data["name"])
        return Response(self.serializer_class(request.user).data)
