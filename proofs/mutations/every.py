"""All mutations, by the file of tests that has to notice them."""

from collections.abc import Iterable
from pathlib import Path

from mutations import (
    of_composition,
    of_persistence,
    of_policies,
    of_settings,
    of_the_bus,
    of_the_edge,
    of_the_testing_kit,
)
from mutations.breaking import Mutation, places_of

TABLES = (of_policies, of_the_bus, of_the_testing_kit, of_settings, of_persistence, of_composition, of_the_edge)
MUTATIONS = [
    Mutation(name, where, old, new, tests)
    for table in TABLES
    for tests, mutations in table.MUTATIONS.items()
    for name, where, old, new in mutations
]


def misplaced(mutations: Iterable[Mutation], service: Path) -> list[str]:
    """What is wrong with mutations whose place is not exactly once in a service, or that no tests notice."""
    found = [(one, [place.file.name for place in places_of(one, service)]) for one in mutations]
    return [
        f"{one.name}: {one.old!r} has to be once in {one.where}, and is in {', '.join(files) or 'no file'}."
        for one, files in found
        if len(files) != 1
    ]
