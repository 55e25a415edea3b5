"""Measure what a write costs through the bus beside an endpoint written by hand; exit with 1 when a bar is missed."""

import sys

from benchmarks.http.rounds import Endpoint, measure
from benchmarks.http.session import Options, held, options_of, under_load
from benchmarks.write.database import prepare, rows
from benchmarks.write.endpoints import beside_others, check, endpoints

SERVICE = "benchmarks.write.service"


def main() -> int:
    """Measure and print; the exit code."""
    parser = options_of("benchmarks.write", __doc__, rounds=12, seconds=2.0)
    parser.add_argument("--asynchronous", action="store_true", help="COMMIT does not wait for the disk")
    options = parser.parse_args()
    commit = "does not wait for the disk" if options.asynchronous else "waits for the disk"
    return held(options, _run, f"A write on PostgreSQL over HTTP; COMMIT {commit}. Every answer's rows were counted.")


async def _run(options: Options) -> list[Endpoint]:
    async with under_load(SERVICE, options.connections, is_synchronous=not options.asynchronous) as (settings, crowd):
        found = endpoints(settings, await prepare(settings))
        await measure(crowd, found, options.rounds, options.seconds)
        check(found, await rows(settings))
    return [*found, *beside_others(found)]


if __name__ == "__main__":
    sys.exit(main())
