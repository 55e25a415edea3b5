import pytest

from app.core.cqrs import ConfigurationError, CQRSBus, UnitOfWork
from app.core.cqrs.testing import MemoryUnitsOfWork, failing_commits
from app.core.cqrs.testing.seams import every_unit, replace, replaced


class Greeter:
    def greet(self) -> str:
        return "hello"


def test_a_method_is_another_for_a_while_on_this_object_alone() -> None:
    one, other = Greeter(), Greeter()
    with replaced(one, greet=lambda: "hi"):
        assert (one.greet(), other.greet()) == ("hi", "hello")
        with replaced(one, greet=lambda: "hey"):
            assert one.greet() == "hey"
        assert one.greet() == "hi"
    with pytest.raises(ZeroDivisionError), replaced(one, greet=lambda: "hi"):
        raise ZeroDivisionError
    assert one.greet() == "hello"
    assert vars(one) == {}


def test_a_method_is_another_from_now_on() -> None:
    greeter = Greeter()
    replace(greeter, greet=lambda: "hi")
    assert greeter.greet() == "hi"


def test_units_of_work_are_prepared_while_that_lasts() -> None:
    units, prepared = MemoryUnitsOfWork(), list[UnitOfWork]()
    with every_unit(units, prepared.append):
        unit = units.open("SERIALIZABLE")
    units.open(None)
    assert prepared == [unit]
    assert units.journal == ["begin SERIALIZABLE", "begin"]


def test_a_bus_without_transactions_is_refused_with_a_sentence() -> None:
    with pytest.raises(ConfigurationError, match=r"make it with unit_of_work="), failing_commits(CQRSBus()):
        pass
