"""The errors of rank systems."""

from tatami.errors import DomainError


class RankInUse(DomainError):
    """A rank that students hold, or that classes require, cannot be removed."""


class RulesChanged(DomainError):
    """These rules have changed since you read them: read the latest version first."""


class NameTaken(DomainError):
    """This name is already in use."""
