"""The page that shows the API: all that it loads comes from the service itself."""

import re
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient

from app.main import create_app
from tests.databases import settings_for

PRODUCTION = {"password_time_cost": 2, "password_memory_kib": 19_456, "sqlite_in_production": True}


def client_of(root_path: str = "", **settings: Any) -> AsyncClient:
    app = create_app(settings_for("sqlite:///unused.db", **settings))
    return AsyncClient(transport=ASGITransport(app, root_path=root_path), base_url=f"http://service{root_path}")


@pytest.mark.parametrize("root_path", ["", "/shop"])
async def test_everything_that_the_page_loads_is_served(root_path: str) -> None:
    async with client_of(root_path) as client:
        page = await client.get("/docs")
        named = re.findall(r'(?:href|src)="([^"]+)"', page.text)
        answers = {name: await client.get(str(page.url.join(name))) for name in named}
        started = answers["docs/start.js"].text
        document = await client.get(str(page.url.join(re.findall(r'url: "([^"]+)"', started)[0])))

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert len(named) == 4
    assert {name: one.status_code for name, one in answers.items() if one.status_code != 200} == {}
    assert {name: one.headers["content-type"].partition(";")[0] for name, one in answers.items()} == {
        "docs/favicon-32x32.png": "image/png",
        "docs/swagger-ui.css": "text/css",
        "docs/swagger-ui-bundle.js": "text/javascript",
        "docs/start.js": "text/javascript",
    }
    assert b"SwaggerUIBundle" in answers["docs/swagger-ui-bundle.js"].content
    assert document.json()["info"]["title"] == "app"
    assert document.json().get("servers") == ([{"url": root_path}] if root_path else None)


async def test_nothing_foreign_and_no_inline_script_would_run_on_it() -> None:
    async with client_of() as client:
        page, answer = await client.get("/docs"), await client.get("/health/live")

    policy = dict(rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert "script-src" not in policy
    assert "unsafe" not in str(policy)
    assert re.findall(r"<(?:script|style)>|\bon\w+=|style=|//", page.text) == []
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


async def test_the_title_is_text() -> None:
    async with client_of(service_name="orders") as client:
        assert "<title>orders</title>" in (await client.get("/docs")).text


async def test_other_files_of_the_package_are_not_served() -> None:
    async with client_of() as client:
        answers = [await client.get(f"/docs/{name}") for name in ("__init__.py", "..%2fmain.py", "x.js")]
    assert [answer.status_code for answer in answers] == [404, 404, 404]


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"environment": "production", **PRODUCTION}, 404),
        ({"environment": "production", "api_docs": True, **PRODUCTION}, 200),
        ({"environment": "test"}, 200),
        ({"environment": "development"}, 200),
        ({"environment": "test", "api_docs": False}, 404),
    ],
)
async def test_it_is_not_served_in_production_unless_that_is_asked_for(settings: dict[str, Any], status: int) -> None:
    async with client_of(**settings) as client:
        for path in ("/docs", "/docs/start.js", "/openapi.json"):
            assert (await client.get(path)).status_code == status
