"""Every event of the service comes back from the log as it was raised."""

from collections.abc import Iterator
from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import ResolutionFailed

from app.composition.container import DOMAIN, HANDLERS
from app.core.discovery import discover
from app.core.event_types import assert_survives_storage

EVENTS = [event_class for package in (DOMAIN, HANDLERS) for event_class in discover(package).events]
STORABLE: dict[type, st.SearchStrategy[Any]] = {
    Decimal: st.decimals(allow_nan=False, allow_infinity=False),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.text(st.characters(codec="utf-8", exclude_characters="\0")),
}
"""What an event may have: anything else is refused when it is raised."""
A_FEW = settings(
    max_examples=10,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module", autouse=True)
def _only_what_can_be_stored() -> Iterator[None]:
    before: dict[type, st.SearchStrategy[Any]] = {kind: st.from_type(kind) for kind in STORABLE}
    for kind, strategy in STORABLE.items():
        st.register_type_strategy(kind, strategy)
    yield
    for kind, strategy in before.items():
        st.register_type_strategy(kind, strategy)


@pytest.mark.parametrize("event_class", EVENTS)
def test_an_event_comes_back_from_the_log_as_it_was_raised(event_class: Any) -> None:
    @A_FEW
    @given(st.builds(event_class, occurred_at=st.datetimes(timezones=st.just(UTC))))
    def survives(event: Any) -> None:
        assert_survives_storage(event)

    try:
        survives()
    except ResolutionFailed as unknown:
        pytest.skip(f"Write a test with assert_survives_storage by hand: {unknown}")
