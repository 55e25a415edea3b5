"""The floor: an endpoint written by hand, without anything that the service has for it; and one with an ORM."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.ids import uuid7
from app.persistence.event_tables import event_log
from benchmarks.write.service.parcels import LONGEST_RECIPIENT, MOST_GRAMS, Parcel, ParcelAnswer, parcels

router = APIRouter()


class ParcelToSend(BaseModel):
    """What is sent, checked by pydantic alone."""

    recipient: Annotated[str, Field(min_length=1, max_length=LONGEST_RECIPIENT)]
    grams: Annotated[int, Field(gt=0, le=MOST_GRAMS)]


@router.post("/by-hand", status_code=201)
async def send_by_hand(body: ParcelToSend, request: Request) -> ParcelAnswer:
    """Insert the row and the row of the event log, and commit both."""
    parcel_id = uuid7()
    async with AsyncSession(request.app.state.engine, expire_on_commit=False) as session, session.begin():
        await session.execute(insert(parcels), {"id": parcel_id, **body.model_dump(), "version": 1})
        await session.execute(insert(event_log), _event(parcel_id, body, request))
    return ParcelAnswer(parcel_id=parcel_id)


@router.post("/by-hand-with-orm", status_code=201)
async def send_by_hand_with_orm(body: ParcelToSend, request: Request) -> ParcelAnswer:
    """The same, but the row is an object that SQLAlchemy's ORM writes, as it writes the service's aggregates."""
    parcel_id = uuid7()
    async with AsyncSession(request.app.state.engine, expire_on_commit=False) as session, session.begin():
        session.add(Parcel(parcel_id, body.recipient, body.grams))
        await session.flush()
        await session.execute(insert(event_log), _event(parcel_id, body, request))
    return ParcelAnswer(parcel_id=parcel_id)


def _event(parcel_id: UUID, body: ParcelToSend, request: Request) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "aggregate_type": "Parcel",
        "aggregate_id": str(parcel_id),
        "version": 1,
        "event_type": "ParcelSent",
        "event_version": 1,
        "payload": {"parcel_id": str(parcel_id), **body.model_dump()},
        "metadata": {
            "operation_id": request.state.request_id,
            "correlation_id": request.state.correlation_id,
            "causation_id": None,
            "user_id": None,
            "source": "http",
            "version": 1,
        },
        "occurred_at": datetime.now(UTC),
    }
