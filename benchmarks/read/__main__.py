"""Measure what a read costs through the bus beside an endpoint written by hand; exit with 1 when a bar is missed."""

import json
import os
import sys

from benchmarks.http.load import Crowd, UnexpectedAnswerError, request
from benchmarks.http.rounds import Endpoint, measure
from benchmarks.http.session import Options, held, options_of, under_load
from benchmarks.read.same_bytes import PATH as SAME_BYTES

SERVICE = "benchmarks.read.service"
ORDER = {
    "customer_name": "Erika Mustermann",
    "customer_phone": "+49 30 1234567",
    "customer_address": "Musterweg 1, 12345 Musterstadt",
    "pizza_items": [
        {"pizza_id": "margherita", "size": "large", "toppings": ["extra_cheese"]},
        {"pizza_id": "pepperoni"},
    ],
}


def main() -> int:
    """Measure and print; the exit code."""
    parser = options_of("benchmarks.read", __doc__, rounds=20, seconds=1.0)
    parser.add_argument("--cache-url", default="memory://", help="where the menu is kept (memory://)")
    options = parser.parse_args()
    kept_in = options.cache_url.partition(":")[0]
    return held(options, _run, f"Reads of the sample on PostgreSQL over HTTP; the cache is {kept_in}.")


async def _run(options: Options) -> list[Endpoint]:
    cache = {"CACHE_URL": options.cache_url, "CACHE_PREFIX": f"benchmark_{os.getpid()}"}
    async with under_load(SERVICE, options.connections, **cache) as (_, crowd):
        order_id = await _place_order(crowd)
        found = [
            *await _pair(crowd, "the menu, warm", "/api/menu", "/api/menu/by-hand", bar=5.0),
            *await _same_bytes(crowd, "/api/menu", bar=0.7),
            *await _pair(crowd, "an order", f"/api/orders/{order_id}", f"/api/orders/by-hand/{order_id}", bar=0.95),
        ]
        await measure(crowd, found, options.rounds, options.seconds)
    return found


async def _place_order(crowd: Crowd) -> str:
    answer = await crowd.ask(
        request("POST", "/api/orders", json.dumps(ORDER).encode(), Content_Type="application/json")
    )
    try:
        return str(json.loads(answer)["order_id"])
    except KeyError:
        raise UnexpectedAnswerError(f"No order was placed: {answer!r}") from None


async def _same_bytes(crowd: Crowd, path: str, bar: float) -> tuple[Endpoint, Endpoint]:
    """An endpoint of the service after one that does nothing but answer the same bytes."""
    through_bus, floor_request = request("GET", path), request("GET", SAME_BYTES)
    content = await crowd.ask(through_bus)
    await crowd.ask(request("PUT", SAME_BYTES, content))
    _require_same(path, [content, await crowd.ask(floor_request)])
    floor = Endpoint("the same bytes by FastAPI alone", lambda: floor_request)
    return floor, Endpoint("the menu, warm, through the bus", lambda: through_bus, floor, bar)


async def _pair(crowd: Crowd, name: str, path: str, floor_path: str, bar: float) -> tuple[Endpoint, Endpoint]:
    """An endpoint of the service after its floor."""
    by_hand, through_bus = request("GET", floor_path), request("GET", path)
    answers = [await crowd.ask(get) for get in (by_hand, through_bus, through_bus)]
    _require_same(path, answers)
    floor = Endpoint(f"{floor_path.split('/')[2]} by hand", lambda: by_hand)
    return floor, Endpoint(f"{name}, through the bus", lambda: through_bus, floor, bar)


def _require_same(path: str, answers: list[bytes]) -> None:
    """Make sure that an endpoint and its floor answer the same.

    Raises:
        UnexpectedAnswerError: they do not, so the figures are worthless.
    """
    if len(set(answers)) != 1:
        raise UnexpectedAnswerError(f"{path} and its floor answer differently: {answers}")


if __name__ == "__main__":
    sys.exit(main())
