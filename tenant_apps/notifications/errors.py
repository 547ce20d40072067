"""The errors of notifications."""

from tatami.errors import DomainError


class NotificationEnded(DomainError):
    """All mails of this notification are sent, or it is already cancelled."""

    code = "notification_ended"
