"""The OpenAPI document of the whole application."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from app.api.models import Body
from app.main import create_app
from tests.databases import settings_for


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document."""
    return create_app(settings_for("sqlite:///unused.db")).openapi()


@pytest.fixture
def operations(document: dict[str, Any]) -> dict[str, Any]:
    """Operation id -> operation."""
    return {one["operationId"]: one for path in document["paths"].values() for one in path.values()}


def test_each_operation_has_a_name_of_its_own_and_a_description(
    document: dict[str, Any], operations: dict[str, Any]
) -> None:
    found = [one for path in document["paths"].values() for one in path.values()]
    assert [name for name, times in Counter(one["operationId"] for one in found).items() if times > 1] == []
    assert [name for name, one in operations.items() if not one["description"]] == []
    assert {"create_user", "login", "get_me"} <= operations.keys()


def test_each_problem_that_is_referred_to_is_described(document: dict[str, Any], operations: dict[str, Any]) -> None:
    named = {one["$ref"] for each in operations.values() for one in each["responses"].values() if "$ref" in one}
    described = {f"#/components/responses/{status}" for status in document["components"]["responses"]}
    assert named == described
    assert set(document["components"]["responses"]["503"]["headers"]) == {"Retry-After"}
    assert "Problem" in document["components"]["schemas"]
    assert "HTTPValidationError" not in str(document)


def test_answers_are_documented(operations: dict[str, Any]) -> None:
    assert answer_to(operations["create_user"], "201") == {"$ref": "#/components/schemas/UserCreated"}
    assert answer_to(operations["find_users"], "200") == {"$ref": "#/components/schemas/PageOf_UserView_"}
    assert "409 names the field" in operations["create_user"]["description"]


def answer_to(operation: Any, status: str) -> Any:
    return operation["responses"][status]["content"]["application/json"]["schema"]


def test_where_a_caller_is_looked_at_it_says_whether_there_must_be_one(operations: dict[str, Any]) -> None:
    token: dict[str, list[str]] = {"OAuth2PasswordBearer": []}
    assert operations["get_user"]["security"] == [token]
    assert operations["get_me"]["security"] == [token]
    assert operations["create_user"]["security"] == [{}, token]
    assert "security" not in operations["login"]


def test_what_may_be_left_out_of_an_address_is_not_null(operations: dict[str, Any]) -> None:
    parameters = {one["name"]: one for one in operations["find_users"]["parameters"]}
    assert parameters["is_active"]["schema"] == {"type": "boolean", "title": "Is Active"}
    assert parameters["is_active"]["required"] is False


@pytest.mark.usefixtures("document")  # making it imports the routes, which have the bodies
def test_the_example_of_a_body_is_one() -> None:
    found = {kind: kind.model_json_schema().get("examples", ()) for kind in bodies(Body)}
    assert [kind.model_validate(example) for kind, examples in found.items() for example in examples] != []


def bodies(base: type[Body]) -> Iterator[type[Body]]:
    """All kinds of bodies that the service takes."""
    for kind in base.__subclasses__():
        yield from bodies(kind)
        if kind.__module__.startswith("app."):
            yield kind


@pytest.mark.parametrize(("environment", "description"), [("", ""), ("installed", "Sells bread.")])
def test_it_has_the_description_of_the_distribution(
    environment: str, description: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.main.installed_as", lambda: type("Identity", (), {"description": description}))
    info = create_app(settings_for("sqlite:///unused.db", service_name="orders", release="7")).openapi()["info"]
    assert info == {"title": "orders", "version": "7"} | ({"description": description} if description else {})
