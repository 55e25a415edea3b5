"""`app billing`: the revenue, for an operator."""

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from app.cli.opened import with_database
from app.persistence.engine.database import Database
from app.read_models.revenue import revenue_by_month

billing_commands = typer.Typer(no_args_is_help=True, help="Invoices and revenue.")


@billing_commands.callback()
def billing() -> None:
    """Invoices and revenue."""


@billing_commands.command()
def revenue() -> None:
    """Print the revenue of each month."""
    for month in with_database(_revenue):
        typer.echo(month)


async def _revenue(database: Database) -> list[str]:
    async with database.reading() as session:
        return await _lines(session)


async def _lines(session: AsyncSession) -> list[str]:
    return [f"{one.month} {one.raised} {one.paid}" for one in await revenue_by_month(session)]
