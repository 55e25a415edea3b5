"""What a team does to a service before it takes an update over: seven kinds of edits."""

from pathlib import Path

HANDLER = '''"""Count the users of the service."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.cqrs import BaseQueryHandler, IQuery, authorize, query_handler
from app.persistence.tables import users


@dataclass(frozen=True)
class CountUsersQuery(IQuery[int]):
    """Ask how many users there are."""


@query_handler(CountUsersQuery)
@authorize(permissions=["user:read"])
class CountUsersHandler(BaseQueryHandler[CountUsersQuery, int]):
    """Count the users."""

    session: AsyncSession

    async def _handle(self, query: CountUsersQuery) -> int:
        return await self.session.scalar(select(func.count()).select_from(users)) or 0
'''
TABLE = '''"""The table of tickets."""

from sqlalchemy import Column, Table, Text, Uuid

{imports}

tickets = Table(
    "tickets",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("title", Text, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
)
'''
MIGRATION = '''"""tickets."""

import sqlalchemy as sa
from alembic import op

revision = "20261201080000"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "tickets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tickets")),
    )


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_table("tickets")
'''
IMPORTS = "from app.persistence.column_types import UtcDateTime\nfrom app.persistence.tables import metadata"
IMPORTS_OF_1_0 = "from app.persistence.tables import UtcDateTime, metadata"
SLOGAN = '    slogan: str = "Freshly baked"\n    """What stands on the box."""\n'
MINE = "# Ours: the poster has room for ten.\n"


def replace(file: Path, old: str, new: str) -> None:
    """Replace the first occurrence, which has to be there."""
    text = file.read_text(encoding="utf-8")
    assert old in text, f"{file} has no {old!r}"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def edit(service: Path) -> None:
    """A handler, a table with its migration, a setting, a dependency, a changed, a renamed and a deleted file."""
    persistence = service / "app/persistence"
    imports = IMPORTS if (persistence / "column_types.py").exists() else IMPORTS_OF_1_0
    (service / "app/handlers/user/count_users_handler.py").write_text(HANDLER)
    (persistence / "mappings/ticket_mapping.py").write_text(TABLE.format(imports=imports))
    (versions,) = (path for path in service.glob("**/migrations/versions") if ".venv" not in path.parts)
    (versions / "20261201080000_tickets.py").write_text(MIGRATION)
    replace(
        service / "app/adapters/order_settings.py",
        '    kitchen_hours: str = ""',
        f'{SLOGAN}    kitchen_hours: str = ""',
    )
    replace(
        service / ".env.example",
        "# PAYMENT_URL=",
        "# What stands on the box.\n# SLOGAN=Freshly baked\n\n# PAYMENT_URL=",
    )
    replace(service / "pyproject.toml", "dependencies = [\n", 'dependencies = [\n    "humanize~=4.12",\n')
    replace(service / "app/handlers/order/get_popular_pizzas_handler.py", "@dataclass", f"{MINE}@dataclass")
    (service / "docs/rules.md").rename(service / "docs/our_rules.md")
    (service / "app/handlers/order/notify_kitchen_handler.py").unlink()
    (service / "tests/handlers/order/test_notify_kitchen_handler.py").unlink()


def lost(service: Path) -> list[str]:
    """The edits that an update has lost."""
    kept = {
        "app/handlers/user/count_users_handler.py": HANDLER,
        "app/persistence/mappings/ticket_mapping.py": TABLE.format(imports=IMPORTS),
        "app/migrations/versions/20261201080000_tickets.py": MIGRATION,
        "app/adapters/order_settings.py": SLOGAN,
        ".env.example": "# SLOGAN=Freshly baked\n",
        "pyproject.toml": '"humanize~=4.12",\n',
        "constraints.txt": "humanize==",
        "app/handlers/order/get_popular_pizzas_handler.py": MINE,
        "docs/our_rules.md": "# Rules",
    }
    missing = [name for name, text in kept.items() if text not in _text(service / name)]
    back = ("docs/rules.md", "app/handlers/order/notify_kitchen_handler.py")
    left_behind = [str(path) for path in (service / "migrations").rglob("*.py")]
    return missing + [name for name in back if (service / name).exists()] + left_behind


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""
