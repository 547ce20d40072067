"""Errors of webhooks."""

from tatami.errors import DomainError


class TooManyWebhooks(DomainError):
    """There are too many webhooks. Delete one that is not needed."""

    code = "too_many_webhooks"


class WebhookDisabled(DomainError):
    """This webhook is disabled. Enable it first."""

    code = "webhook_disabled"
