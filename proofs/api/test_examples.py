"""The example of each body in the document is sent, and taken."""

from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from support.every_operation import Operation, operations_in
from tests.api.callers import Caller, Callers
from tests.databases import ON_SQLITE


class Shop:
    """What stands ready: accounts, and the examples that make what others name."""

    def __init__(self, app: FastAPI, anonymous: AsyncClient, member: Caller, administrator: Caller) -> None:
        self.anonymous, self.member, self.administrator = anonymous, member, administrator
        self._app = app
        self._operations = {one.name: one for one in operations_in(app)}

    async def made(self, operation: str, by: AsyncClient, **path: str) -> Any:
        """What the example of an operation is answered."""
        one = self._operations[operation]
        return (await one.send(by, one.address(**path))).raise_for_status().json()

    async def order(self, status: str = "pending") -> dict[str, str]:
        """The path parameters of a new order."""
        found = {"order_id": (await self.made("place_order", self.anonymous))["order_id"]}
        if status == "cooking":
            await self.made("start_cooking", self.administrator, **found)
        return found

    async def ada(self) -> tuple[AsyncClient, dict[str, str]]:
        """The user of the example, logged in, and the path parameters."""
        user = {"user_id": (await self.made("create_user", self.anonymous))["user_id"]}
        token = (await self.made("login", self.anonymous))["access_token"]
        self.member.headers["Authorization"] = f"Bearer {token}"
        return self.member, user


Request = tuple[AsyncClient, dict[str, str]]


async def _prepared(shop: Shop, operation: Operation) -> Request:
    """Who sends the example of an operation, and with which path parameters."""
    if operation.name in ("change_password", "update_user"):
        return await shop.ada()
    if operation.name == "login":
        await shop.made("create_user", shop.anonymous)
    if "{order_id}" in operation.path:
        return shop.administrator, await shop.order("cooking" if operation.name == "mark_pizza_ready" else "pending")
    return shop.administrator, {"pizza_id": "pepperoni"}


TRIED = [
    "batch_create_users",
    "cancel_order",
    "change_password",
    "create_user",
    "login",
    "logout",
    "mark_pizza_ready",
    "place_order",
    "process_payment",
    "refresh",
    "start_cooking",
    "update_menu",
    "update_order_address",
    "update_user",
]


@ON_SQLITE
@pytest.mark.parametrize("name", TRIED)
async def test_the_example_of_a_body_is_taken(name: str, app: FastAPI, client: AsyncClient, callers: Callers) -> None:
    operations = {one.name: one for one in operations_in(app)}
    operation = operations[name]
    shop = Shop(app, client, await callers.member(), await callers.administrator())
    sender, path = await _prepared(shop, operation)
    more = {"json": {"refresh_token": shop.member.refresh_token}} if name in ("logout", "refresh") else {}

    answer = await operation.send(sender, operation.address(**path), **more)

    assert answer.status_code in (200, 201, 204), answer.text
    assert str(answer.status_code) in operation.described["responses"]


@ON_SQLITE
async def test_every_body_is_tried(app: FastAPI) -> None:
    assert sorted(one.name for one in operations_in(app) if one.media_type) == TRIED
