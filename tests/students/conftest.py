"""What happens at once needs a dojo that is really committed: the front check_in_dojo of the tests of attendance."""

from tests.attendance.conftest import check_in_dojo

__all__ = ["check_in_dojo"]
