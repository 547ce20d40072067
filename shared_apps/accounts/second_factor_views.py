"""The second step of a sign-in, one's own second factors and sessions, the policy, and a reset by an admin."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from rest_framework.response import Response

from shared_apps.accounts import openapi, second_factors, second_step
from shared_apps.accounts.models import SecondFactor, Session, SignInPolicy, User
from shared_apps.accounts.second_factors import Proof
from shared_apps.accounts.serializers import (
    AuthenticatorSerializer,
    NewFactorByChallengeSerializer,
    NewSecondFactorSerializer,
    NoFieldsSerializer,
    OwnPasswordSerializer,
    OwnSessionSerializer,
    PasskeyRequestSerializer,
    PasskeySignInSerializer,
    ProofSerializer,
    RecoveryCodesSerializer,
    SecondFactorSerializer,
    SecondSignInSerializer,
    SecondStepSerializer,
    SignInPolicySerializer,
    SignInSerializer,
)
from shared_apps.accounts.sessions import end_sessions
from shared_apps.accounts.views import AuthView
from tatami.api.request import client_of, requested_host
from tatami.api.responses import created
from tatami.api.views import ApiView, Detail, Listing, get_or_404


class SecondStep(AuthView):
    """Complete a sign-in with a code of an authenticator app, a recovery code, or a passkey."""

    serializer_class = SecondStepSerializer
    operations = openapi.SECOND_STEP

    def post(self, request: Any) -> Response:
        values = self.values()
        user, tokens, codes = second_step.complete_sign_in(
            challenge=values.pop("challenge"), proof=_proof(request, values), now=request.now
        )
        shown = {**asdict(tokens), "user": user, "recovery_codes": codes}
        return Response(SecondSignInSerializer(shown).data)


class PasskeyOptions(AuthView):
    """Ask for a challenge for a sign-in with a passkey, without a password. The browser offers what it has."""

    serializer_class = NoFieldsSerializer
    operations = openapi.PASSKEY_OPTIONS

    def post(self, request: Any) -> Response:
        self.values()
        asked = second_step.request_passkey(host=requested_host(request), now=request.now)
        return Response(PasskeyRequestSerializer(asked).data)


class PasskeySignIn(AuthView):
    """Sign in with a passkey, without a password."""

    serializer_class = PasskeySignInSerializer
    operations = openapi.PASSKEY_SIGN_IN

    def post(self, request: Any) -> Response:
        values = self.values()
        user, tokens = second_step.sign_in_with_passkey(
            challenge=values.pop("challenge"), proof=_proof(request, values), now=request.now
        )
        return Response(SignInSerializer({**asdict(tokens), "user": user}).data)


class EnrolmentByChallenge(AuthView):
    """Begin to set up the second factor that the role needs, before the first sign-in with it."""

    serializer_class = NewFactorByChallengeSerializer
    operations = openapi.ENROLMENT_BY_CHALLENGE

    def post(self, request: Any) -> Response:
        values = self.values()
        with transaction.atomic():
            enrolment = second_step.enrol_by_challenge(
                challenge=values["challenge"],
                kind=values.get("kind", SecondFactor.Kind.TOTP),
                host=requested_host(request),
                now=request.now,
            )
        return Response(AuthenticatorSerializer(enrolment).data, status=201)


class OwnSecondFactors(Listing):
    """One's own second factors. POST begins to set one up; it counts when it is confirmed."""

    atomic = False
    idempotent = False
    operations = openapi.SECOND_FACTORS
    queryset = SecondFactor.objects.select_related("passkey")
    serializer_class = SecondFactorSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return _own(self, super().get_queryset())

    def post(self, request: Any) -> Response:
        serializer = NewSecondFactorSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data
        second_factors.check_own_password(request.user, values["password"], now=request.now)
        enrolment = second_factors.enrol(
            user=request.user,
            name=values.get("name", ""),
            kind=values.get("kind", SecondFactor.Kind.TOTP),
            host=requested_host(request),
        )
        shown = AuthenticatorSerializer(enrolment).data
        return created(shown, "second-factor", id=enrolment.factor.pk)


class OwnSecondFactor(Detail):
    """One of one's own second factors. DELETE removes it."""

    idempotent = False
    operations = openapi.SECOND_FACTOR
    queryset = SecondFactor.objects.select_related("passkey")
    serializer_class = SecondFactorSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return _own(self, super().get_queryset())

    def delete(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        second_factors.remove(factor=self.get_object())
        return Response(status=204)


class Confirmation(ApiView):
    """Confirm a new second factor, with a code or with what the browser has made.

    The first one comes with recovery codes, which are shown once.
    """

    atomic = False
    idempotent = False
    max_body_bytes = AuthView.max_body_bytes
    operations = openapi.CONFIRMATION
    serializer_class = ProofSerializer

    def post(self, request: Any, id: Any) -> Response:
        serializer = ProofSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        factor = get_or_404(SecondFactor.objects.filter(user=request.user), pk=id)
        proof = _proof(request, serializer.validated_data)
        second_factors.count_proof(request.user, proof.address, now=request.now)
        codes = second_factors.confirm(factor=factor, proof=proof, now=request.now)
        return Response(RecoveryCodesSerializer({"recovery_codes": codes}).data)


class RecoveryCodes(ApiView):
    """Replace one's own recovery codes. The new ones are shown once."""

    atomic = False
    idempotent = False
    operations = openapi.RECOVERY_CODES
    serializer_class = OwnPasswordSerializer

    def post(self, request: Any) -> Response:
        serializer = OwnPasswordSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        second_factors.check_own_password(
            request.user, serializer.validated_data["password"], now=request.now
        )
        codes = second_factors.renew_recovery_codes(user=request.user)
        return Response(RecoveryCodesSerializer({"recovery_codes": codes}).data, status=201)


class OwnSessions(Listing):
    """One's own open sessions, the last used first. DELETE ends all but the one of the request."""

    idempotent = False
    operations = openapi.OWN_SESSIONS
    queryset = Session.objects.all()
    serializer_class = OwnSessionSerializer
    ordering = ("-rotated_at",)

    def get_queryset(self) -> QuerySet[Any]:
        return _open(self, super().get_queryset())

    def delete(self, request: Any) -> Response:
        end_sessions(request.user.pk, now=request.now, keep=request.auth.session_id)
        return Response(status=204)


class OwnSession(Detail):
    """One of one's own open sessions. DELETE ends it, at once."""

    idempotent = False
    operations = openapi.OWN_SESSION
    queryset = Session.objects.all()
    serializer_class = OwnSessionSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return _open(self, super().get_queryset())

    def delete(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        end_sessions(request.user.pk, now=request.now, only=self.get_object().pk)
        return Response(status=204)


class UserSecondFactors(ApiView):
    """Remove all second factors of a user who lost them, and end their sessions."""

    idempotent = False
    operations = openapi.USER_SECOND_FACTORS
    serializer_class = None

    def delete(self, request: Any, id: Any) -> Response:
        user = get_or_404(User.objects.people(), pk=id)
        second_factors.reset(user=user, now=request.now)
        return Response(status=204)


class Policy(ApiView):
    """Which roles need a second factor. Users without one set it up at their next sign-in; sessions stay."""

    operations = openapi.SIGN_IN_POLICY
    serializer_class = SignInPolicySerializer

    def get(self, request: Any) -> Response:
        return Response(SignInPolicySerializer(SignInPolicy.current()).data)

    def patch(self, request: Any) -> Response:
        serializer = SignInPolicySerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        if serializer.validated_data:
            second_factors.change_policy(serializer.validated_data["second_factor_roles"])
        return self.get(request)


def _own(view: Any, queryset: QuerySet[Any]) -> QuerySet[Any]:
    if getattr(view, "swagger_fake_view", False):
        return queryset
    return queryset.filter(user=view.request.user)


def _open(view: Any, queryset: QuerySet[Any]) -> QuerySet[Any]:
    now: datetime = view.request.now
    return _own(view, queryset).filter(pk__in=Session.objects.open_at(now))


def _proof(request: Any, values: dict[str, Any]) -> Proof:
    client = client_of(request)
    host = requested_host(request)
    return Proof(host=host, address=client.address, user_agent=client.user_agent, **values)
