"""The rules of dojos on the platform, as errors."""

from tatami.errors import DomainError, ServiceUnavailable


class SlugTaken(DomainError):
    """Another dojo has this slug."""

    code = "slug_taken"


class WrongState(DomainError):
    """The dojo's state does not allow this."""


class MakingCutOff(ServiceUnavailable):
    """The making of this dojo was cut off, and was taken back. Try again."""


class DomainTaken(DomainError):
    """Another dojo has verified this domain."""

    code = "domain_taken"


class DomainNotVerified(DomainError):
    """The DNS does not say yet that this domain is the dojo's."""

    code = "domain_not_verified"


class DnsFailing(DomainError):
    """The domain's own name servers fail, or do not answer for it."""


class DnsAway(ServiceUnavailable):
    """The DNS cannot be asked at the moment. Try again shortly."""
