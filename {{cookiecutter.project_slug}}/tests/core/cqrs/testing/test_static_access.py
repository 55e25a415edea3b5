from app.core.cqrs import Grants
from app.core.cqrs.testing import StaticAccess


async def test_access_by_a_mapping() -> None:
    access = StaticAccess({"ada": Grants(is_admin=True)})
    assert await access.grants_of("ada") == Grants(is_admin=True)
    assert await access.grants_of("eve") is None
