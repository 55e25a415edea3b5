"""A service as it is after a team's first weeks: `grown/` is what they add, in the places where they add it."""

import shutil
from pathlib import Path

from tests.guide import execute, put_into
from tests.support import BakedProject

GROWN = Path(__file__).parent / "grown"
CLI = "app/cli/__init__.py"

GRANT = """
    permissions = sa.table("role_permissions", sa.column("role"), sa.column("permission"))
    granted = {"member": ["invoice:read:own"], "admin": ["invoice:raise", "invoice:pay", "invoice:read"]}
    op.bulk_insert(permissions, [{"role": role, "permission": one} for role in granted for one in granted[role]])
"""
REVOKE = """
    permission = sa.column("permission")
    op.execute(sa.table("role_permissions", permission).delete().where(permission.like("invoice:%")))
"""


def grow(service: BakedProject) -> None:
    """Add to an installed service what a team adds: files, a migration, and two lines for the command line."""
    shutil.copytree(GROWN, service.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    cli = service.text(CLI).replace(
        "from app.cli.database", "from app.cli.billing import billing_commands\nfrom app.cli.database", 1
    )
    (service.path / CLI).write_text(f'{cli}app.add_typer(billing_commands, name="billing")\n', encoding="utf-8")
    execute(service, ["db upgrade", "db revision billing"])
    put_into(service, "app/migrations/versions/*_billing.py", "upgrade", GRANT.strip("\n"))
    put_into(service, "app/migrations/versions/*_billing.py", "downgrade", REVOKE.strip("\n"))
    execute(service, ["db upgrade"])
