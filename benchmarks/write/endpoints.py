"""What is loaded, and that everything acknowledged is stored."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from uuid import UUID

from app.adapters.clock_system import SystemClock
from app.adapters.tokens_jwt import JwtAccessTokens
from app.core.config import Settings
from benchmarks.http.load import UnexpectedAnswerError, request
from benchmarks.http.rounds import Endpoint

PARCEL = json.dumps({"recipient": "Erika Mustermann, Musterweg 1, 12345 Musterstadt", "grams": 1250}).encode()
PROTECTED = "protected, idempotent"


def endpoints(settings: Settings, user_id: UUID) -> list[Endpoint]:
    """The floor first."""
    token = JwtAccessTokens(settings, SystemClock()).issue(user_id, user_id)
    by_hand, with_orm, through_bus = map(_post, ("/by-hand", "/by-hand-with-orm", "/through-bus"))
    protected, with_core, with_objects = (
        partial(next, _protected(path, token))
        for path in ("/protected", "/by-hand-protected", "/by-hand-protected-with-orm")
    )
    floor = Endpoint("by hand", lambda: by_hand)
    same = Endpoint(f"by hand, {PROTECTED}, ORM", with_objects)
    return [
        floor,
        Endpoint("by hand, state by the ORM", lambda: with_orm, floor),
        Endpoint("transaction, events, validation", lambda: through_bus, floor, bar=0.8),
        Endpoint(f"by hand, {PROTECTED}", with_core),
        same,
        Endpoint(PROTECTED, protected, same, bar=0.9),
    ]


def beside_others(found: Sequence[Endpoint]) -> list[Endpoint]:
    """The last as it was measured, compared with an insert by SQLAlchemy's Core, and with one that guarantees less."""
    floor, *_, core, _, last = found
    return [
        replace(last, name="... beside that without the ORM", floor=core, bar=None),
        replace(last, name="... beside the unprotected by hand", floor=floor, bar=0.6),
    ]


def _post(path: str, **headers: str) -> bytes:
    return request("POST", path, PARCEL, Content_Type="application/json", **headers)


def _protected(path: str, token: str) -> Iterator[bytes]:
    """Requests with a token, and each with a key of its own."""
    sample = _post(path, Authorization=f"Bearer {token}", Idempotency_Key="%020d")
    before, _, after = sample.partition(b"%020d")
    return (b"%b%020d%b" % (before, number, after) for number in count())


def check(found: Iterable[Endpoint], stored: dict[str, int]) -> None:
    """Make sure that everything acknowledged is stored, and nothing else.

    Raises:
        UnexpectedAnswerError: it is not, so the figures are worthless.
    """
    answers = sum(endpoint.answers for endpoint in found)
    keys = sum(endpoint.answers for endpoint in found if PROTECTED in endpoint.name)
    expected = {"parcels": answers, "event_log": answers, "idempotency_keys": keys}
    if stored != expected:
        raise UnexpectedAnswerError(f"There are {stored}, and there should be {expected}.")
