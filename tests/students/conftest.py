"""What happens at once needs a dojo that is really committed: the front desk of the tests of attendance."""

from tests.attendance.conftest import desk

__all__ = ["desk"]
