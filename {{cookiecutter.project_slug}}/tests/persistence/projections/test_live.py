from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import MetaData, Table
from sqlalchemy.ext.asyncio import AsyncSession

from app.composition import container
from app.core.config import Settings
from app.core.cqrs import AggregateRoot, ConfigurationError
from app.core.cqrs.testing import MemoryBus
from app.persistence.projections.live import handler_of
from app.persistence.projections.projection import projections_in, require_aggregates
from tests.databases import ON_SQLITE
from tests.lifespan import service_with
from tests.persistence import votes
from tests.persistence.votes import TYPES, VOTES, stood


def test_the_handler_of_a_projection_has_the_name_that_its_events_wait_under() -> None:
    assert handler_of(VOTES) is handler_of(VOTES)
    assert handler_of(replace(VOTES, name="votes_of_parties")).__name__ == "ProjectVotesOfPartiesHandler"


def test_it_runs_after_the_commit_unless_the_projection_says_otherwise() -> None:
    bus = MemoryBus()
    for projection in (VOTES, replace(VOTES, name="seats", in_transaction=True)):
        bus.register(handler_of(projection))
    assert bus.describe()["events"] == {
        "CandidateEvent": [
            {"handler": "ProjectVotesHandler", "in_transaction": False},
            {"handler": "ProjectSeatsHandler", "in_transaction": True},
        ]
    }


@pytest.mark.parametrize(
    "shared", [{"table": votes.candidates}, {"totals": (votes.parties,)}, {"table": votes.parties}], ids=str
)
def test_two_that_write_the_same_table_are_refused_because_a_rebuild_replaces_it(
    monkeypatch: pytest.MonkeyPatch, shared: dict[str, Any]
) -> None:
    own: dict[str, Any] = {"table": Table("seats", MetaData()), "totals": ()}
    monkeypatch.setattr(votes, "SEATS", replace(VOTES, name="seats", **own), raising=False)
    assert set(projections_in(votes.__name__)) == {"votes", "seats"}
    monkeypatch.setattr(votes, "SEATS", replace(VOTES, name="seats", **(own | shared)))
    with pytest.raises(ConfigurationError, match="The projections votes and seats both write the table"):
        projections_in(votes.__name__)


class Nominee(AggregateRoot):
    """A candidate after a renaming."""

    aggregate_type = "Thing"


class Party(AggregateRoot):
    """Something else."""


@pytest.mark.parametrize("known", [votes.Thing, Nominee])
def test_it_folds_the_events_of_an_aggregate_that_there_is(known: type[AggregateRoot]) -> None:
    require_aggregates([VOTES], [Party, known])
    with pytest.raises(ConfigurationError, match="folds the events of Thign, but no aggregate .* one of Party, Thing,"):
        require_aggregates([VOTES, replace(VOTES, aggregate_type="Thign")], [Party, known])


@ON_SQLITE
async def test_otherwise_the_service_does_not_start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "READ_MODELS", votes.__name__)
    with pytest.raises(ConfigurationError, match="The projection votes folds the events of Thing, but no aggregate"):
        async with service_with(settings):
            pass


async def test_an_event_of_another_aggregate_is_refused_because_a_rebuild_would_not_find_it() -> None:
    bus, handler = MemoryBus(), handler_of(replace(VOTES, name="seats", aggregate_type="Party"))
    bus.scope.given += AsyncSession(), TYPES
    bus.register(handler)
    refused = "Stood was raised by Thing, but the projection seats folds the events of Party"
    with pytest.raises(ConfigurationError, match=refused):
        await bus.reactions.run(stood("ada").record(TYPES), handler.__name__)
