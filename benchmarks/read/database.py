"""A menu to read."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import insert

from app.core.config import Settings
from app.persistence.database import Database
from benchmarks.read.service.menu import metadata, pizzas

PIZZAS = 50


async def prepare(settings: Settings) -> None:
    """Make the table, with a menu in it."""
    database = Database(settings)
    try:
        async with database.writing_engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
            await connection.execute(insert(pizzas), [_pizza(number) for number in range(PIZZAS)])
    finally:
        await database.close()


def _pizza(number: int) -> dict[str, object]:
    return {
        "id": UUID(int=number),
        "name": f"Pizza {number:02}",
        "category": ("classic", "vegetarian", "seafood")[number % 3],
        "description": "Tomatoes, mozzarella, basil, and whatever the season brings to the market in the morning.",
        "price": Decimal(f"{8 + number % 7}.90"),
        "preparation_minutes": 10 + number % 5,
        "is_available": True,
    }
