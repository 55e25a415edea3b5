from tests.mutation import MUTATIONS, misplaced


def test_every_mutation_still_has_something_to_change() -> None:
    assert misplaced(MUTATIONS) == []
