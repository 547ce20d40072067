"""Acting as somebody else: a session of his that a superadmin opened, marked as such, with no way to renew it."""

from datetime import datetime

from shared_apps.accounts.models import Session, User
from tatami.ids import uuid7
from tatami.keys import secret_hash
from tatami.tokens import Actor, ImpersonationToken, expires_at, issue_impersonation


def open_impersonation(*, user: User, actor: Actor, now: datetime) -> ImpersonationToken:
    """Open a session in which `actor`, of the platform, acts as a user of the scope in force.

    It ends after fifteen minutes, and before that with what ends the user's sessions, or the actor's own.
    """
    session_id = uuid7()
    token = issue_impersonation(user_id=user.pk, session_id=session_id, actor=actor)
    Session.objects.create(
        id=session_id,
        user=user,
        token_hash=secret_hash(str(token)),
        rotated_at=now,
        expires_at=expires_at(token),
        impersonator=actor.user_id,
    )
    return token
