"""Fixtures of the tests of promotions."""

import pytest

from tatami.tenancy import hosts
from tests.promotions.factories import ExamDojo, GradedDojo
from tests.support.clients import Dojo


@pytest.fixture(autouse=True)
def _no_epoch_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process reads the routing epoch twice a second. Tests that count statements must not see this statement."""
    monkeypatch.setattr(hosts, "EPOCH_TTL_SECONDS", 3_600)


@pytest.fixture
def graded(dojo: Dojo) -> GradedDojo:
    return GradedDojo(dojo)


@pytest.fixture
def exam_dojo(dojo: Dojo) -> ExamDojo:
    return ExamDojo(dojo)
