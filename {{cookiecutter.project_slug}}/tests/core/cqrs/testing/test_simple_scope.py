from app.core.cqrs.testing import MemoryUnitsOfWork, SimpleScope


async def test_the_scope_builds_what_is_asked_for() -> None:
    class Needs:
        def __init__(self, units: MemoryUnitsOfWork, number: int = 7) -> None:
            self.units, self.number = units, number

    class Nothing:
        pass

    units = MemoryUnitsOfWork()
    scope = SimpleScope(units)
    async with scope() as opened:
        assert (scope.opened, scope.closed) == (1, 0)
        built = await opened.get(Needs)
        assert (built.units, built.number) == (units, 7)
        assert isinstance(await opened.get(Nothing), Nothing)
    assert scope.closed == 1
