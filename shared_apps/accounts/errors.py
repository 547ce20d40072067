"""The rules of users and sign-in, as errors."""

from tatami.errors import DomainError


class LastAdmin(DomainError):
    """The last active admin cannot be demoted, deactivated or deleted."""

    code = "last_admin"


class EmailTaken(DomainError):
    """A user with this e-mail address already exists."""
