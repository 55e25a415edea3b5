from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import MetaData, Table

from app.core.cqrs import ConfigurationError
from app.core.cqrs.testing import MemoryBus
from app.persistence.projections.live import handler_of
from app.persistence.projections.projection import projections_in
from tests.persistence import votes
from tests.persistence.votes import VOTES


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
