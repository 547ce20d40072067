"""The errors of classes and sessions."""

from tatami.errors import DomainError


class SessionExists(DomainError):
    """The class has a session at this time already."""
