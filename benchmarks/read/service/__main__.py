"""Serve the endpoints in one process on a free port, which the first line of the output tells."""

from benchmarks.read.service import by_hand, through_bus
from benchmarks.write.service.__main__ import serve

if __name__ == "__main__":
    serve(through_bus.__name__, by_hand.router, through_bus.router)
