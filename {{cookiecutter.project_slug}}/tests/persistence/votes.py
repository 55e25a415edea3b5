"""A read model of its own, for tests of projections: candidates, the votes for each, and how many each party has."""

from abc import ABC
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Table, Text

from app.core.cqrs import AggregateRoot, DomainEvent, RaisedEvent
from app.core.event_types import EventTypes
from app.persistence.engine.database import Database
from app.persistence.events.stored_event import StoredEvent
from app.persistence.projections import Projection, Shares
from app.persistence.projections import Row as State
from app.persistence.projections.rebuilding import rebuild
from tests.events import event_of

metadata = MetaData()
candidates = Table(
    "candidates",
    metadata,
    Column("candidate_id", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("party", Text, nullable=False),
    Column("votes", Integer, nullable=False),
)
parties = Table("parties", metadata, Column("party", Text, primary_key=True), Column("votes", Integer, nullable=False))


class Thing(AggregateRoot):
    """A candidate, as `tests.events` calls it."""


class CandidateEvent(DomainEvent, ABC):
    """Something happened to a candidate."""


@dataclass(frozen=True)
class Stood(CandidateEvent):
    """Somebody stands for a party, or goes to another and takes the votes along."""

    party: str


@dataclass(frozen=True)
class Voted(CandidateEvent):
    """Votes were counted, or counted again."""

    votes: int


TYPES = EventTypes([Stood, Voted])


def fold_votes(row: State, event: Stood | Voted) -> State:
    """A candidate after an event."""
    match event:
        case Stood():
            return {"votes": 0, **row, "party": event.party}
        case Voted():
            return {**row, "votes": row["votes"] + event.votes}


def shares_of(row: State) -> Shares:
    """What a candidate's votes add to those of the party."""
    return {(parties, row["party"]): {"votes": row["votes"]}}


VOTES = Projection("votes", "Thing", CandidateEvent, candidates, fold_votes, shares_of, (parties,))


def stood(candidate: str, party: str = "Left", version: int = 1) -> StoredEvent:
    """The first event of a candidate, or a change of the party."""
    return event_of(candidate, version, event_type="Stood", payload={"party": party})


def voted(candidate: str, version: int, votes: int = 1) -> StoredEvent:
    """A later one."""
    return event_of(candidate, version, event_type="Voted", payload={"votes": votes})


def raised(stored: StoredEvent) -> RaisedEvent:
    """The event as a handler has it."""
    return stored.record(TYPES).raised


async def rebuilt(database: Database, **options: Any) -> int:
    """Make the read model anew."""
    return await rebuild(database, TYPES, VOTES, **options)


async def counted(database: Database) -> tuple[list[Any], list[Any]]:
    """The rows of the read model."""
    async with database.reading() as session:
        rows = [list(await session.execute(table.select().order_by(*table.primary_key))) for table in VOTES.tables]
    return rows[0], rows[1]
