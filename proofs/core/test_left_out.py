"""What is declared by half, or where nobody looks, is refused: present means active, or a sentence says why not."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import APIRouter

from app import main
from app.api.routing import routing_problems
from app.composition.container import running_service
from app.core.config import Settings
from app.core.cqrs import DiscoveryError
from app.core.cqrs.plan import declared_handlers
from app.core.discovery import discover, require_found
from app.main import found_routers

NAME = "left_out_by_a_test"
START = (
    "from abc import ABC\nfrom dataclasses import dataclass\nfrom typing import ClassVar\nfrom app.core.cqrs import *\n"
)


class Written:
    """Modules that a test writes into a package of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / NAME
        self.folder.mkdir()

    def write(self, path: str, content: str) -> None:
        """Write one, below the package."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(START + content)

    def problems(self, path: str, content: str) -> list[str]:
        """What discovery says of one."""
        self.write(path, content)
        return discover(NAME, on_error="report").problems


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    before = list(declared_handlers)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Written(tmp_path)
    declared_handlers[:] = before
    for name in [name for name in sys.modules if name.split(".")[0] == NAME]:
        del sys.modules[name]


EVENT = "@dataclass(frozen=True, kw_only=True)\nclass Rang(DomainEvent):\n    where: str\n"
COMMAND = "@dataclass\nclass Ring(ICommand[None]):\n    where: str\n"
HANDLE = "    async def _handle(self, message) -> None: ...\n"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (EVENT + "class ReactHandler(BaseEventHandler[Rang]):\n" + HANDLE, "event"),
        ("class ReactHandler(BaseCommandHandler):\n" + HANDLE, "command"),
        ("class ReactHandler(BaseQueryHandler):\n" + HANDLE, "query"),
        (EVENT + "class ReactHandler(BaseEventHandler[Rang]):\n    async def handel(self, event): ...\n", "event"),
        (
            EVENT
            + "@event_handler(Rang)\nclass First(BaseEventHandler[Rang]):\n"
            + HANDLE
            + "class ReactHandler(First): ...",
            "event",
        ),
    ],
    ids=["event", "command", "query", "misspelt", "derived"],
)
def test_a_handler_that_declares_nothing_is_refused(written: Written, content: str, kind: str) -> None:
    (problem,) = written.problems("react.py", content)
    assert f"{NAME}.react.ReactHandler handles no message: declare it with @{kind}_handler(" in problem


@pytest.mark.parametrize(
    "content",
    [
        EVENT + "class Base(BaseEventHandler[Rang], ABC):\n" + HANDLE,
        EVENT + "class Base(BaseEventHandler[Rang]):\n" + HANDLE + "@event_handler(Rang)\nclass React(Base): ...\n",
        COMMAND
        + "@command_handler(Ring, auto_register=False)\nclass ByHand(BaseCommandHandler[Ring, None]):\n"
        + HANDLE,
    ],
    ids=["abc", "derived from", "by hand"],
)
def test_a_base_of_handlers_is_none(written: Written, content: str) -> None:
    assert written.problems("base.py", content) == []


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ("class Ring(DomainEvent):\n    where: str\n", "where"),
        (
            COMMAND.replace("Ring", "Base").replace("[None]", "[None], ABC")
            + "class Ring(Base, ABC):\n    loud: bool = True\n",
            "loud",
        ),
        ("class Ring(IQuery[int], ABC):\n    where: str\n    when: str = ''\n", "where, when"),
    ],
    ids=["event", "derived", "base"],
)
def test_fields_of_what_is_no_dataclass_are_none(written: Written, content: str, fields: str) -> None:
    (problem,) = written.problems("ring.py", content)
    assert f"{NAME}.ring.Ring has {fields}, but is not a dataclass, so these are not fields: put @dataclass(" in problem


@pytest.mark.parametrize(
    "content",
    [
        EVENT.replace("    where", "    event_type: ClassVar[str] = 'rang'\n    where"),
        "class Rang(DomainEvent):\n    event_type: ClassVar[str] = 'rang'\n",
        "from pydantic.dataclasses import dataclass\n" + EVENT,
    ],
    ids=["dataclass", "no fields", "pydantic"],
)
def test_what_has_its_fields_is_taken(written: Written, content: str) -> None:
    assert written.problems("rang.py", content) == []


def test_a_message_without_fields_needs_a_handler_too(written: Written) -> None:
    (problem,) = written.problems("ping.py", "class Ping(ICommand[None]): ...\n")
    assert f"{NAME}.ping.Ping has no handler" in problem


@pytest.mark.parametrize(
    "content", ["class Keep(PipelineBehavior):\n    async def handel(self, message, go_on): ...\n"]
)
def test_a_behaviour_that_lacks_its_method_is_refused(written: Written, content: str) -> None:
    (problem,) = written.problems("keep.py", content)
    assert f"{NAME}.keep.Keep is abstract: implement handle." in problem


def test_a_module_that_a_folder_hides_is_told(written: Written) -> None:
    written.write("user/create.py", "")
    problems = written.problems("user.py", "")
    assert problems == [f"{NAME}.user is a module and a folder, and one hides the other: rename one of them."]


@pytest.mark.parametrize(
    "content",
    [
        COMMAND + "@command_handler(Ring)\nclass Lost(BaseCommandHandler[Ring, None]):\n" + HANDLE,
        EVENT + "@event_handler(Rang)\nclass Lost(BaseEventHandler[Rang]):\n" + HANDLE,
        EVENT.replace("Rang", "Lost"),
        "class Lost(PipelineBehavior):\n    async def handle(self, message, go_on): ...\n",
    ],
    ids=["command", "event handler", "event", "behaviour"],
)
def test_what_lies_where_nobody_looks_is_refused(written: Written, content: str) -> None:
    written.write("features/lost.py", content)
    written.write("handlers/found.py", content.replace("Lost", "Found"))
    for module in ("features.lost", "handlers.found"):
        __import__(f"{NAME}.{module}")
    with pytest.raises(DiscoveryError) as refused:
        require_found([f"{NAME}.handlers"], NAME)
    said = str(refused.value)
    assert f"{NAME}.features.lost.Lost is in a module that is not searched, so it would not be used: move the" in said
    assert "Found" not in said
    require_found([f"{NAME}.handlers", f"{NAME}.features"], NAME)


async def test_the_service_does_not_start_with_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("app.features")
    monkeypatch.setitem(sys.modules, "app.features", module)
    exec(START + EVENT.replace("Rang", "Misplaced"), vars(module))
    with pytest.raises(DiscoveryError, match=r"app\.features\.Misplaced is in a module that is not searched"):
        async with running_service(settings):
            pass


def module(name: str, **members: Any) -> ModuleType:
    made = ModuleType(f"app.api.routes.{name}")
    vars(made).update(members)
    return made


def with_endpoint() -> APIRouter:
    router = APIRouter()

    @router.get("/found")
    async def found() -> None: ...

    return router


def test_a_module_of_routes_without_a_router_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [module("a"), module("b", route=with_endpoint()), module("c", router=[with_endpoint()])]
    monkeypatch.setattr(main, "discover", lambda _: type("Found", (), {"modules": wrong}))
    with pytest.raises(DiscoveryError) as refused:
        found_routers()
    for name in "abc":
        assert f"app.api.routes.{name} has no `router = APIRouter(...)`, so nothing in it is served" in str(
            refused.value
        )
    assert "app.api.routes.b.route is not served: call it `router`, or include it" in str(refused.value)


def test_a_router_beside_that_of_its_module_is_refused_unless_it_is_included() -> None:
    router, inner, innermost, lost = with_endpoint(), with_endpoint(), with_endpoint(), with_endpoint()
    inner.include_router(innermost)
    router.include_router(inner)
    tickets = module("tickets", router=router, inner=inner, innermost=innermost, lost=lost)
    assert routing_problems([tickets], [router]) == [
        "app.api.routes.tickets.lost is not served: call it `router`, or include it in the `router` of its module."
    ]


@pytest.mark.parametrize("options", [{"lifespan": lambda _: None}, {"on_startup": [print]}, {"on_shutdown": [print]}])
def test_a_router_with_a_lifespan_that_nobody_runs_is_refused(options: dict[str, Any]) -> None:
    router = APIRouter(**options)
    (problem,) = routing_problems([module("tickets", router=router)], [router])
    assert problem.startswith("app.api.routes.tickets.router has a lifespan, which nobody runs")


def test_packages_and_helpers_need_no_router_and_one_that_is_imported_is_served_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    router = with_endpoint()
    right = [module("a", router=router), module("b", router=router), module("_shared"), module("c", __path__=[])]
    monkeypatch.setattr(main, "discover", lambda _: type("Found", (), {"modules": right}))
    assert found_routers() == [router]
