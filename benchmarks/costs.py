"""What a benchmark tells `benchmarks.beside`: the cost of each line."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

Costs = Mapping[str, float]
"""The name of a line -> what it costs, in any unit: half of it is twice as fast."""


def add_option(parser: argparse.ArgumentParser) -> None:
    """The option that names the file for `tell`."""
    parser.add_argument("--costs", type=Path, metavar="FILE", help="write the cost of each line to this file too")


def tell(file: Path | None, costs: Costs) -> None:
    """Write the costs to the file, if there is one."""
    if file is not None:
        file.write_text(json.dumps(costs), encoding="utf-8")
