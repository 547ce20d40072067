"""What can go wrong before the application runs. The message is for the person at the terminal."""


class EmbeddedError(Exception):
    """A server or a process could not be started or kept running."""


class AlreadyRunning(EmbeddedError):
    """Another supervisor is alive and works on the same data folder."""


class PortTaken(EmbeddedError):
    """Another program listens on the port that the web process was to have."""


class ServerDidNotStart(EmbeddedError):
    """A server ended, or did not answer in time; the end of its log is in the message."""


class NotReachable(EmbeddedError):
    """PostgreSQL's unprivileged account cannot reach a folder, and we may not help it."""
