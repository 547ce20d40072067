"""The rules of attendance that are not about a scan, as errors."""

from tatami.errors import DomainError, PermissionDenied


class NonceReused(DomainError):
    """This nonce was already used with another code."""

    code = "idempotency_key_reused"


class NotYours(PermissionDenied):
    """You may void only what you recorded yourself, on the same day."""
