import pytest

from tests.orders import staff
from tests.users import People, Person


@pytest.fixture
async def cook(people: People) -> Person:
    """Somebody who works in the kitchen."""
    return await staff(people)
