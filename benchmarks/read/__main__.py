"""Measure what a read costs through the bus beside an endpoint written by hand; exit with 1 when a bar is missed."""

import json
import os
import sys

from benchmarks.http.load import Crowd, UnexpectedAnswerError, request
from benchmarks.http.rounds import Endpoint, measure
from benchmarks.http.session import Options, held, options_of, under_load

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


async def _pair(crowd: Crowd, name: str, path: str, floor_path: str, bar: float) -> tuple[Endpoint, Endpoint]:
    """An endpoint of the service after its floor.

    Raises:
        UnexpectedAnswerError: they do not answer the same.
    """
    by_hand, through_bus = request("GET", floor_path), request("GET", path)
    answers = [await crowd.ask(get) for get in (by_hand, through_bus, through_bus)]
    if len(set(answers)) != 1:
        raise UnexpectedAnswerError(f"{path} and {floor_path} answer differently: {answers}")
    floor = Endpoint(f"{floor_path.split('/')[2]} by hand", lambda: by_hand)
    return floor, Endpoint(f"{name}, through the bus", lambda: through_bus, floor, bar)


if __name__ == "__main__":
    sys.exit(main())
