"""The errors of tenants on the platform: creation, domains, exports and archives."""

from tatami.errors import DomainError, ServiceUnavailable


class SlugTaken(DomainError):
    """Another dojo has this slug."""

    code = "slug_taken"


class WrongState(DomainError):
    """The dojo's state does not allow this."""


class CreationInterrupted(ServiceUnavailable):
    """The creation of this dojo was interrupted and undone. Try again."""


class DomainTaken(DomainError):
    """Another dojo has verified this domain."""

    code = "domain_taken"


class DomainNotVerified(DomainError):
    """The DNS does not show yet that this domain belongs to the dojo."""

    code = "domain_not_verified"


class DnsFailure(DomainError):
    """The domain's own name servers fail, or do not answer for it."""


class DnsUnavailable(ServiceUnavailable):
    """The DNS cannot be reached at the moment. Try again shortly."""


class ArchiveRefused(DomainError):
    """This archive cannot be restored. Nothing was written."""

    code = "archive_refused"


class ExportUnfinished(DomainError):
    """An export is being built. Wait for it, or delete it."""

    code = "export_unfinished"


class TooManyExports(DomainError):
    """There are too many exports. Delete one first."""

    code = "too_many_exports"


class ExportLeaseLost(RuntimeError):
    """Another worker has claimed this export in the meantime, or the export was deleted."""


class SchemaChanged(RuntimeError):
    """The tenant's schema was migrated while its export began: the export has to start again."""
