"""A role that may not connect is kept away for a while: an outage, as a login that is refused."""

import pytest
from sqlalchemy import text

from app.persistence.engine.database import Database
from app.persistence.engine.errors import LostConnectionError
from support.roles import SERVING, Roles
from tests.databases import settings_for


@pytest.mark.integration
@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
async def test_a_role_without_the_right_to_connect_meets_an_outage(empty_database_url: str) -> None:
    roles = Roles(empty_database_url)
    await roles.order(f"CREATE ROLE {SERVING} LOGIN PASSWORD 'secret'")
    try:
        await roles.order(f'REVOKE CONNECT ON DATABASE "{roles.database}" FROM PUBLIC')
        database = Database(settings_for(roles.url_of(SERVING)))
        async with database.writing() as session:
            with pytest.raises(LostConnectionError):
                await session.execute(text("SELECT 1"))
        await database.close()
    finally:
        await roles.order(f"DROP ROLE {SERVING}")
