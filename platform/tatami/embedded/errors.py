"""Errors before the application runs. Their messages are printed in the terminal."""


class EmbeddedError(Exception):
    """A server or a process could not be started or kept running."""


class AlreadyRunning(EmbeddedError):
    """Another supervisor runs on the same data folder."""


class PortTaken(EmbeddedError):
    """Another program listens on the port of the web process."""


class ServerDidNotStart(EmbeddedError):
    """A server exited or did not answer in time. The message contains the end of its log."""


class NotReachable(EmbeddedError):
    """The unprivileged user that runs PostgreSQL cannot reach a folder, and we cannot grant it access."""
