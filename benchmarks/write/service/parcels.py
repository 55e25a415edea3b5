"""Parcels: the table that all endpoints write, and the aggregate and the event of those that use the bus."""

from dataclasses import dataclass
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Column, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.orm import registry

from app.core.cqrs import AggregateRoot, DomainEvent

MOST_GRAMS = 30_000
LONGEST_RECIPIENT = 200

metadata = MetaData()
parcels = Table(
    "parcels",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("recipient", Text, nullable=False),
    Column("grams", Integer, nullable=False),
    Column("version", Integer, nullable=False),
)


@dataclass(frozen=True, kw_only=True)
class ParcelSent(DomainEvent):
    """A parcel is on its way."""

    parcel_id: UUID
    recipient: str
    grams: int


class Parcel(AggregateRoot):
    """A parcel."""

    id: UUID

    def __init__(self, id: UUID, recipient: str, grams: int) -> None:  # noqa: A002  # what it is called everywhere
        self.id = id
        self.recipient = recipient
        self.grams = grams
        self.raise_event(ParcelSent(parcel_id=id, recipient=recipient, grams=grams))


registry(metadata=metadata).map_imperatively(
    Parcel, parcels, version_id_col=parcels.c.version, version_id_generator=False
)


class ParcelAnswer(BaseModel):
    """The parcel that was sent."""

    parcel_id: UUID
