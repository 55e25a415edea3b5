"""The floors: an endpoint written by hand, without anything that the service has for it; one with an ORM; and one that
gives the guarantees of a protected command, with the statements and the caches that the service has for them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import AccessPolicy, Claim
from app.core.ids import uuid7
from app.domain.ports import AccessToken, AccessTokens
from app.persistence.access import OpenLogins
from app.persistence.event_tables import event_log
from app.persistence.idempotency import IdempotencyKeys
from benchmarks.write.service.parcels import LONGEST_RECIPIENT, MOST_GRAMS, Parcel, ParcelAnswer, parcels

PERMISSION = "parcel:send"
router = APIRouter()


@dataclass(frozen=True)
class Guarantees:
    """What the service has for them: signatures, open logins, permissions and idempotency keys."""

    tokens: AccessTokens
    logins: OpenLogins
    access: AccessPolicy
    keys: IdempotencyKeys


class ParcelToSend(BaseModel):
    """What is sent, checked by pydantic alone."""

    recipient: Annotated[str, Field(min_length=1, max_length=LONGEST_RECIPIENT)]
    grams: Annotated[int, Field(gt=0, le=MOST_GRAMS)]


@router.post("/by-hand", status_code=201)
async def send_by_hand(body: ParcelToSend, request: Request) -> ParcelAnswer:
    """Insert the row and the row of the event log, and commit both."""
    parcel_id = uuid7()
    async with AsyncSession(request.app.state.engine, expire_on_commit=False) as session, session.begin():
        await _insert(session, parcel_id, body)
        await session.execute(insert(event_log), _event(parcel_id, body, request))
    return ParcelAnswer(parcel_id=parcel_id)


@router.post("/by-hand-with-orm", status_code=201)
async def send_by_hand_with_orm(body: ParcelToSend, request: Request) -> ParcelAnswer:
    """The same, but the row is an object that SQLAlchemy's ORM writes, as it writes the service's aggregates."""
    parcel_id = uuid7()
    async with AsyncSession(request.app.state.engine, expire_on_commit=False) as session, session.begin():
        await _add(session, parcel_id, body)
        await session.execute(insert(event_log), _event(parcel_id, body, request))
    return ParcelAnswer(parcel_id=parcel_id)


@router.post("/by-hand-protected", status_code=201)
async def send_protected_by_hand(body: ParcelToSend, request: Request) -> Response:
    """The same inserts for those who may send parcels, once for each key, with the answer stored beside the key."""
    return await _send_protected(body, request, _insert)


@router.post("/by-hand-protected-with-orm", status_code=201)
async def send_protected_by_hand_with_orm(body: ParcelToSend, request: Request) -> Response:
    """The same, but the row is an object that SQLAlchemy's ORM writes."""
    return await _send_protected(body, request, _add)


async def _send_protected(
    body: ParcelToSend, request: Request, write: Callable[[AsyncSession, UUID, ParcelToSend], Awaitable[None]]
) -> Response:
    guarantees: Guarantees = request.app.state.guarantees
    caller = guarantees.tokens.read(request.headers["authorization"].removeprefix("Bearer "))
    await guarantees.logins.require(caller)
    grants = await guarantees.access.grants_of(str(caller.user_id))
    if grants is None or not (grants.is_admin or PERMISSION in grants.permissions):
        raise HTTPException(403)
    key, content = request.headers["idempotency-key"], body.model_dump_json().encode()
    claim = Claim(str(caller.user_id), request.scope["path"], key, content)
    async with AsyncSession(request.app.state.engine, expire_on_commit=False) as session, session.begin():
        answer = await guarantees.keys.claim(session, claim)
        headers = {} if answer is None else {"Idempotency-Replayed": "true"}
        if answer is None:
            parcel_id = uuid7()
            await write(session, parcel_id, body)
            await session.execute(insert(event_log), _event(parcel_id, body, request, caller))
            answer = ParcelAnswer(parcel_id=parcel_id).model_dump_json().encode()
            await guarantees.keys.keep_answer(session, claim, answer)
    return Response(answer, 201, headers, "application/json")


async def _insert(session: AsyncSession, parcel_id: UUID, body: ParcelToSend) -> None:
    await session.execute(insert(parcels), {"id": parcel_id, **body.model_dump(), "version": 1})


async def _add(session: AsyncSession, parcel_id: UUID, body: ParcelToSend) -> None:
    session.add(Parcel(parcel_id, body.recipient, body.grams))
    await session.flush()


def _event(parcel_id: UUID, body: ParcelToSend, request: Request, caller: AccessToken | None = None) -> dict[str, Any]:
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
            "user_id": caller and str(caller.user_id),
            "source": "http",
            "version": 1,
        },
        "occurred_at": datetime.now(UTC),
    }
