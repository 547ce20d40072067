"""What can be wrong with an archive, and with asking for one."""

from tatami.errors import DomainError


class ArchiveRefused(DomainError):
    """This archive cannot be restored. Nothing was written."""

    code = "archive_refused"


class ExportOvertaken(RuntimeError):
    """Another worker was given this export meanwhile, or it is not wanted any more."""


class SchemaMoved(RuntimeError):
    """The dojo's schema was migrated between two looks at it: its export has to begin again."""
