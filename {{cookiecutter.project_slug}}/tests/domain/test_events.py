"""Every event of the service comes back from the log as it was raised."""

from datetime import UTC
from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from hypothesis.errors import ResolutionFailed

from app.core.container import DOMAIN, HANDLERS
from app.core.cqrs import UnstorableError
from app.core.cqrs.testing import assert_survives_storage
from app.core.discovery import discover

EVENTS = [event_class for package in (DOMAIN, HANDLERS) for event_class in discover(package).events]
A_FEW = settings(
    max_examples=10,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.parametrize("event_class", EVENTS)
def test_an_event_comes_back_from_the_log_as_it_was_raised(event_class: Any) -> None:
    @A_FEW
    @given(st.builds(event_class, occurred_at=st.datetimes(timezones=st.just(UTC))))
    def survives(event: Any) -> None:
        try:
            assert_survives_storage(event)
        except UnstorableError:
            reject()  # not a number, or a text that PostgreSQL does not take: told to who raises it

    try:
        survives()
    except ResolutionFailed as unknown:
        pytest.skip(f"Write a test with assert_survives_storage by hand: {unknown}")
