"""The rules of dojos on the platform, as errors."""

from tatami.errors import DomainError


class SlugTaken(DomainError):
    """Another dojo has this slug."""

    code = "slug_taken"


class WrongState(DomainError):
    """The dojo's state does not allow this."""
