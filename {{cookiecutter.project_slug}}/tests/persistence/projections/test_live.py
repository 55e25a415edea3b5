from dataclasses import replace

from app.core.cqrs.testing import MemoryBus
from app.persistence.projections.live import handler_of
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
