import pytest

from tests.caches import wait_for_redis


@pytest.fixture
def patient_with_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that is well is waited for, also on a busy machine."""
    wait_for_redis(monkeypatch)
