"""A client that is generated from the OpenAPI document has types, and the service answers it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.config import Settings
from outside.tools import tool
from tests.databases import ON_SQLITE
from tests.server import ROOT, environment_for, serving
from tests.users import PASSWORD

CALLER = f"""
import sys
from http import HTTPStatus

from shop_client import AuthenticatedClient, Client
from shop_client.api.auth import login
from shop_client.api.orders import get_order_by_id, place_order
from shop_client.api.users import create_user, get_me
from shop_client.models import LoginForm, OrderToPlace, OrderView, PizzaItem, PlacedOrder, Problem
from shop_client.models import TokensView, UserCreated, UserToRegister, UserView

PASSWORD = "{PASSWORD}"


def main(address: str) -> None:
    anonymous = Client(address)
    ada = UserToRegister("ada@example.org", "ada", PASSWORD, "Ada Lovelace")
    # The generator takes a token that may be left out for one that must be sent.
    created = create_user.sync(client=anonymous, body=ada)  # type: ignore[arg-type]
    assert isinstance(created, UserCreated), created
    tokens = login.sync(client=anonymous, body=LoginForm("ada", PASSWORD))
    assert isinstance(tokens, TokensView), tokens

    client = AuthenticatedClient(address, tokens.access_token)
    me = get_me.sync(client=client)
    assert isinstance(me, UserView) and me.id == created.user_id, me
    wish = OrderToPlace("Ada", "+44 20 7946 0000", "12 Square", [PizzaItem("margherita", toppings=["olives"])])
    placed = [place_order.sync_detailed(client=client, body=wish, idempotency_key="form-17") for _ in range(2)]
    assert [one.status_code for one in placed] == [HTTPStatus.CREATED] * 2, placed
    first, again = [one.parsed for one in placed]
    assert isinstance(first, PlacedOrder) and first == again, placed
    order = get_order_by_id.sync(first.order_id, client=client)
    assert isinstance(order, OrderView) and order.pizzas[0].pizza_id == "margherita", order

    refused = place_order.sync(client=client, body=OrderToPlace("Ada", "1", "12 Square", []))
    assert isinstance(refused, Problem) and refused.errors and "customer_phone" in refused.errors, refused
    print("placed", order.total_amount)


main(sys.argv[1])
"""
TYPES = """
[mypy]
strict = true
[mypy-shop_client.client]
# The generator writes this file alike for every API, with an __exit__(*args) that mypy does not take.
ignore_errors = true
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the generated client, and with a program that uses it."""
    folder = tmp_path_factory.mktemp("client")
    environment = environment_for("postgresql://nowhere.invalid/none", PYTHONPATH=str(ROOT))
    printed = subprocess.run(
        [sys.executable, "-m", "app", "openapi"],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    (folder / "openapi.json").write_text(printed.stdout)
    (folder / "caller.py").write_text(CALLER)
    (folder / "mypy.ini").write_text(TYPES)
    wanted = ("--path", "openapi.json", "--output-path", "shop_client", "--meta", "none", "--fail-on-warning")
    generated = tool("openapi-python-client", "generate", *wanted, folder=folder)
    assert generated.returncode == 0, generated.stdout + generated.stderr
    return folder


def test_its_types_are_right_and_so_are_those_of_a_program_that_uses_it(client: Path) -> None:
    checked = tool("mypy", "shop_client", "caller.py", folder=client)
    assert checked.returncode == 0, checked.stdout


@ON_SQLITE
def test_it_registers_logs_in_and_places_an_order(client: Path, settings: Settings, tmp_path: Path) -> None:
    with serving(tmp_path, environment_for(settings.database_url)) as server:
        called = tool("python", "caller.py", server.address, folder=client)
    assert called.stdout.startswith("placed "), called.stdout + called.stderr
