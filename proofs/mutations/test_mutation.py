from mutations.mutation import every_mutation, misplaced


def test_every_mutation_still_has_something_to_change() -> None:
    assert misplaced(every_mutation()) == []
