"""Requests for every operation of the document: valid ones, from its examples, and ones that are refused."""

from typing import Any
from uuid import uuid4

from fastapi import FastAPI
from httpx2 import AsyncClient, Response


class Operation:
    """An operation of the document, and a request for it that is valid, though what it names may not exist."""

    def __init__(self, document: dict[str, Any], path: str, method: str) -> None:
        self._document = document
        self.path, self.method = path, method
        self.described: dict[str, Any] = document["paths"][path][method]
        self.name: str = self.described["operationId"]
        self.statuses = {int(status) for status in self.described["responses"]}
        self.media_type, self.example = self._body()

    def address(self, **values: str) -> str:
        """The path with these parameters, and with made-up ones for the rest."""
        made_up = {"index": "0", "role": "member", "pizza_id": "nothing"}
        found = {one["name"]: made_up.get(one["name"], str(uuid4())) for one in self._parameters("path")}
        return self.path.format(**{**found, **values})

    def refused_address(self) -> str | None:
        """An address with a value that is not valid; None: every value is."""
        if any(one["schema"].get("format") == "uuid" for one in self._parameters("path")):
            return self.path.format(**dict.fromkeys(("user_id", "order_id"), "x"), role="member", index="0")
        for one in self._parameters("query"):
            return f"{self.path}?{one['name']}={'x' * (one['schema'].get('maxLength', 0) + 1)}"
        return None

    async def send(self, client: AsyncClient, address: str | None = None, **more: Any) -> Response:
        """Send the valid request, with changes."""
        if self.example is not None and not {"json", "data", "content"} & more.keys():
            more |= {"json" if self.media_type == "application/json" else "data": self.example}
        return await client.request(self.method.upper(), address or self.address(), **more)

    def _parameters(self, place: str) -> list[dict[str, Any]]:
        return [one for one in self.described.get("parameters", ()) if one["in"] == place]

    def _body(self) -> tuple[str, Any]:
        for media_type, content in self.described.get("requestBody", {}).get("content", {}).items():
            schema = content["schema"]
            name = (schema.get("anyOf") or [schema])[0]["$ref"].rpartition("/")[2]
            return media_type, self._document["components"]["schemas"][name].get("examples", [None])[0]
        return "", None


def operations_in(app: FastAPI) -> list[Operation]:
    """All operations of the document."""
    document = app.openapi()
    return [Operation(document, path, method) for path, item in document["paths"].items() for method in item]
