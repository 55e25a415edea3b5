from uuid import RFC_4122, UUID

from app.core.ids import random_id


def test_random_ids_are_uuids_of_version_4() -> None:
    made = {random_id() for _ in range(1000)}
    assert len(made) == 1000
    for each in map(UUID, made):
        assert (each.version, each.variant) == (4, RFC_4122)
    assert all(str(UUID(each)) == each for each in made)
    assert {each[19] for each in made} == set("89ab")
