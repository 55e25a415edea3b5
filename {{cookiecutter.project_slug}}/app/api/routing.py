"""Adds the routes of routers to the app."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from inspect import signature
from types import ModuleType
from typing import Any, get_args

from fastapi import APIRouter, FastAPI
from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute
from pydantic import ValidationError
from starlette.routing import BaseRoute

from app.api.models import Body
from app.api.quick_route import QuickRoute
from app.api.storable import MOST_VALUES, count_problems, made_problems, require

ROUTE_OPTIONS = signature(APIRouter.add_api_route).parameters


class StorableField(ModelField):
    """A parameter that FastAPI validates as usual, and that is refused if its value cannot be stored."""

    def validate(
        self, value: Any, values: dict[str, Any] | None = None, *, loc: tuple[int | str, ...] = ()
    ) -> tuple[Any, list[dict[str, Any]]]:
        """The value, and its validation errors."""
        try:
            if isinstance(value, (dict, list)):
                require(self.name, count_problems(value, self.most_values))
            made, errors = super().validate(value, values or {}, loc=loc)
            if not errors and not isinstance(made, Body):  # a body has checked its values itself
                require(self.name, made_problems(value, made))
        except ValidationError as error:
            found = error.errors(include_url=False)
            return None, [{**one, "loc": (*loc, *one["loc"])} for one in found]
        return made, errors

    @cached_property
    def most_values(self) -> int:
        """How many values a body may hold: as its class says, which may be one of several, or of a list."""
        kind = self.field_info.annotation
        return max(getattr(one, "most_values", MOST_VALUES) for one in (kind, *get_args(kind)))


def _store_only_what_can_be(dependant: Dependant) -> None:
    parameters = (dependant.path_params, dependant.query_params, dependant.header_params, dependant.cookie_params)
    for fields in (*parameters, dependant.body_params):
        fields[:] = [StorableField(field.field_info, field.name, field.mode, field.config) for field in fields]
    for dependency in dependant.dependencies:
        _store_only_what_can_be(dependency)


def add_routes(app: FastAPI, router: APIRouter) -> None:
    """Add the routes of a router one by one, each with the name of its endpoint as its operation id.

    FastAPI's `include_router` looks through all routes of a router twice for each request, which takes longer than
    the bus.
    """
    for route in router.routes:
        if isinstance(route, APIRoute):
            own = {name: getattr(route, name) for name in ROUTE_OPTIONS if hasattr(route, name)}
            kind = QuickRoute if type(route) is APIRoute else type(route)
            own["operation_id"] = route.operation_id or route.name
            app.router.add_api_route(**own, route_class_override=kind)
        else:
            app.router.routes.append(route)
        if isinstance(added := app.router.routes[-1], APIRoute | APIWebSocketRoute):
            _store_only_what_can_be(added.dependant)


def keep_apart(routes: Iterable[BaseRoute]) -> None:
    """Let a path without parameters, such as `/users/me`, be no value of another route's, such as `/users/{user_id}`.

    Otherwise `PATCH /users/me` would change the user called `me`, and not be a method that this path does not take.
    """
    quick = [route for route in routes if isinstance(route, QuickRoute)]
    literal = [route.path for route in quick if "{" not in route.path]
    for route in quick:
        route.others = frozenset(path for path in literal if path != route.path and route.path_regex.match(path))


def routing_problems(modules: Iterable[ModuleType], routers: Iterable[APIRouter]) -> list[str]:
    """Find declarations in route modules that would never be served or called.

    Args:
        modules: the modules that were discovered.
        routers: the routers that are served.
    """
    routers = [*routers]
    served = {id(one) for router in routers for one in _with_included(router)}
    return [problem for module in modules for problem in _problems_of(module, served)] + [*_repeated_ids(routers)]


def _repeated_ids(routers: Iterable[APIRouter]) -> Iterator[str]:
    places: dict[str, list[str]] = {}
    for route in {id(route): route for router in routers for route in router.routes}.values():
        if isinstance(route, APIRoute) and route.include_in_schema:
            place = [f"{method} {route.path}" for method in sorted(route.methods or ())]
            places.setdefault(route.operation_id or route.name, []).extend(place)
    for name, found in places.items():
        if len(found) > 1:
            yield (
                f"{' and '.join(found)} have the same operation id, {name}, by which clients call them: give one of "
                "the endpoints another name, or its route an operation_id."
            )


def _problems_of(module: ModuleType, served: set[int]) -> Iterator[str]:
    name = module.__name__
    is_helper = hasattr(module, "__path__") or name.rpartition(".")[2].startswith("_")
    if not is_helper and not isinstance(getattr(module, "router", None), APIRouter):
        yield (
            f"{name} has no `router = APIRouter(...)`, so nothing in it is served: call its router so, or begin the "
            "name of a module without routes with an underscore."
        )
    for variable, router in vars(module).items():
        if not isinstance(router, APIRouter):
            continue
        if id(router) not in served:
            yield f"{name}.{variable} is not served: call it `router`, or include it in the `router` of its module."
        if _has_lifespan(router):
            yield (
                f"{name}.{variable} has a lifespan, which nobody runs: let the container make what lives as long as "
                "the service, by an asynchronous generator in a provider."
            )


NO_LIFESPAN = type(APIRouter().lifespan_context)


def _has_lifespan(router: APIRouter) -> bool:
    if router.on_startup or router.on_shutdown:
        return True
    includes = any(hasattr(route, "original_router") for route in router.routes)  # FastAPI then merges lifespans
    return type(router.lifespan_context) is not NO_LIFESPAN and not includes


def _with_included(router: APIRouter) -> Iterator[APIRouter]:
    yield router
    for route in router.routes:
        included = getattr(route, "original_router", None)
        if isinstance(included, APIRouter):
            yield from _with_included(included)
