"""Input that must not break it: each gets a 4xx problem document, the same on both databases."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import jwt
from httpx2 import AsyncClient, Response

from app.core.config import Settings
from tests.api.callers import Caller, Callers, new_user

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SECRET = "hunter2 hunter2"
BROKEN_TEXTS = ("\0", "a\0b", "\ud800", "\udfff tail", "x" * 200_000)
BROKEN_NUMBERS = ("9" * 19, "9" * 30, "9" * 5000, "-1", "0", "1e400", "NaN", "0x10", "", "\uff11")
BROKEN_IDS = ("1", "0" * 37, "9" * 5000, "%00", "%ED%A0%80", "%FF", "..%2F..", "'; DROP TABLE users", "null", "é")


def as_json(value: Any) -> bytes:
    """JSON with everything escaped, lone surrogates too."""
    return json.dumps(value).encode()


def check(answer: Response, sent: object) -> None:
    """It is a 4xx problem document, which echoes no secret."""
    assert 400 <= answer.status_code < 500, (sent, answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json", sent
    assert answer.json()["status"] == answer.status_code
    assert SECRET not in answer.text, sent
    assert len(answer.content) < 12_000, sent


async def test_broken_text_in_bodies(client: AsyncClient, callers: Callers) -> None:
    ada = await callers.member()
    for text in BROKEN_TEXTS:
        for field in ("email", "username", "password", "full_name"):
            body = new_user(**{"password": SECRET, field: text})
            check(await client.post("/api/users", content=as_json(body), headers=JSON), body)
        body = {SECRET: text}
        for path in ("/api/auth/refresh", "/api/auth/logout"):
            check(await client.post(path, content=as_json({"refresh_token": text}), headers=JSON), text)
        check(await ada.patch(ada.url, content=as_json({"full_name": text}), headers=JSON), text)
        passwords = {"current_password": text, "new_password": SECRET}
        check(await ada.put(f"{ada.url}/password", content=as_json(passwords), headers=JSON), text)


async def test_bodies_that_are_not_what_they_should_be(client: AsyncClient, callers: Callers) -> None:
    ada = await callers.member()
    bodies = [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"{}" * 2,
        b"\xff\xfe",
        b"\x00",
        b"[" * 100_000,
        b'{"a":' * 900 + b"1" + b"}" * 900,
        b'{"email":' + b"[" * 400 + b"]" * 400 + b"}",
        b'{"email": NaN, "username": Infinity, "password": -Infinity, "full_name": 1e999}',
        b'{"email": ' + b"9" * 5000 + b"}",
        b'{"email": 99999999999999999999999999}',
        as_json({"password": SECRET}),
        as_json(new_user(password=SECRET, full_name=["a"])),
        as_json(new_user(password=SECRET, **{"\ud800": 1})),
        as_json(new_user(password=SECRET, **{"x" * 100_000: 1})),
        as_json(new_user(password=SECRET, **{f"x{n}": 1 for n in range(2000)})),
        b'{"email": "a@example.org", "email": "b@example.org", "password": "' + SECRET.encode() + b'"}',
    ]
    for body in bodies:
        check(await client.post("/api/users", content=body, headers=JSON), body[:50])
        check(await client.post("/api/users/batch", content=body, headers=JSON), body[:50])
        check(await client.post("/api/auth/refresh", content=body, headers=JSON), body[:50])
        check(await ada.patch(ada.url, content=body, headers=JSON), body[:50])


async def test_wrong_content_types(client: AsyncClient) -> None:
    for content_type in ("text/plain", "application/xml", "", ";;", "application/x-www-form-urlencoded", "é"):
        answer = await client.post(
            "/api/users", content=as_json(new_user()), headers={b"Content-Type": content_type.encode()}
        )
        check(answer, content_type)
        assert answer.status_code == 415
    answer = await client.post("/api/auth/login", json={"username": "a", "password": SECRET})
    check(answer, "login as JSON")
    assert answer.status_code == 415


async def test_broken_forms(client: AsyncClient) -> None:
    for text in ("%00", "%ED%A0%80", "%ff", "x" * 200_000, "", "%", "\0"):
        for form in (f"username={text}&password={SECRET}", f"username=ada&password={text}", f"{text}={text}"):
            check(await client.post("/api/auth/login", content=form.encode(), headers=FORM), form[:50])
    many = b"&".join([b"username=a"] * 3000)
    check(await client.post("/api/auth/login", content=many, headers=FORM), "many fields")
    part = b'--x\r\nContent-Disposition: form-data; name="username"; filename="a"\r\n\r\n\0\r\n--x--\r\n'
    multipart = {"Content-Type": "multipart/form-data; boundary=x"}
    check(await client.post("/api/auth/login", content=part, headers=multipart), "a file")


async def test_broken_ids_and_paths(callers: Callers) -> None:
    admin = await callers.administrator()
    for broken in BROKEN_IDS:
        for path in (f"/api/users/{broken}", f"/api/users/{broken}/dashboard"):
            check(await admin.get(path), path[:50])
        check(await admin.patch(f"/api/users/{broken}", json={"full_name": "A"}), broken[:50])
        check(await admin.put(f"{admin.url}/roles/{broken}"), broken[:50])
        check(await admin.delete(f"{admin.url}/roles/{broken}"), broken[:50])
    unknown = f"/api/users/{uuid4()}"
    check(await admin.get(unknown), unknown)
    check(await admin.patch(unknown, json={"full_name": "A"}), unknown)
    check(await admin.delete(unknown), unknown)
    check(await admin.put(f"{unknown}/roles/admin"), unknown)


async def test_broken_queries(callers: Callers) -> None:
    admin = await callers.administrator()
    for number in BROKEN_NUMBERS:
        for name in ("page", "page_size"):
            check(await admin.get("/api/users", params={name: number}), (name, number[:50]))
    for query in ("email_contains=%00", "role=%00", "role=%ED%A0%80", "email_contains=" + "x" * 9000, "is_active=2"):
        check(await admin.get(f"/api/users?{query}"), query[:50])
    last = await admin.get("/api/users", params={"page": 2**31 - 1, "page_size": 100})
    assert (last.status_code, last.json()["items"]) == (200, [])
    like = await admin.get("/api/users", params={"email_contains": "%_\\"})
    assert (like.status_code, like.json()["items"]) == (200, [])


async def test_broken_headers(client: AsyncClient) -> None:
    for name in ("Idempotency-Key", "Authorization", "X-Request-ID", "X-Anything"):
        for value in (b"Bearer \0", b"Bearer \xed\xa0\x80", b"x" * 40_000):
            check(await client.get("/api/users/me", headers={name.encode(): value}), name)


async def test_broken_tokens(client: AsyncClient, callers: Callers, settings: Settings) -> None:
    ada = await callers.member()
    for token in broken_tokens(ada, settings):
        answer = await client.get("/api/users/me", headers={b"Authorization": b"Bearer " + token.encode()})
        check(answer, token[:100])
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), token[:100]
    for scheme in ("Basic YTpi", "bearer", "Bearer", "Digest x", "é"):
        check(await client.get("/api/users/me", headers={b"Authorization": scheme.encode()}), scheme)


def broken_tokens(caller: Caller, settings: Settings) -> list[str]:
    """Tokens that look like one of ours, and are not."""
    good = caller.headers["Authorization"].removeprefix("Bearer ")
    header, claims, signature = good.split(".")
    key = settings.key_for("access tokens")
    ours: dict[str, Any] = jwt.decode(good, options={"verify_signature": False})

    def encoded(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()

    def signed(**changes: Any) -> str:
        return jwt.api_jws.encode(json.dumps({**ours, **changes}).encode(), key)

    return [
        "",
        "x",
        "..",
        "é.é.é",
        "x" * 20_000,
        good[:-2],
        good + "x",
        f"{header}.{claims}.",
        ".".join([encoded('{"alg":"none","typ":"JWT"}'), claims, ""]),
        ".".join([encoded('{"alg":["HS256"]}'), claims, signature]),
        ".".join([encoded("[" * 10_000), claims, signature]),
        ".".join([header, encoded("[" * 10_000), signature]),
        jwt.encode(ours, "another key that is as long as ours is", "HS256"),
        jwt.encode(ours, key * 2, "HS512"),
        jwt.api_jws.encode(b"[]", key),
        jwt.api_jws.encode(b'{"exp": ' + b"9" * 5000 + b"}", key),
        signed(sub="nobody"),
        signed(sub=5),
        signed(sub=None),
        signed(sid="\ud800"),
        signed(exp="soon"),
        signed(exp=1),
        signed(exp=10**30),
        signed(exp=float("inf")),
        signed(exp=float("nan")),
        signed(exp=[]),
    ]


async def test_unknown_routes_and_methods(client: AsyncClient) -> None:
    for path in ("/", "/api", "/api/users/", "/nothing", "//", "/api/users/../users", "/%2e%2e/etc/passwd", "/.env"):
        check(await client.get(path), path)
    for method in ("PUT", "TRACE", "OPTIONS", "DELETE", "PROPFIND"):
        answer = await client.request(method, "/api/users")
        check(answer, method)
        assert answer.status_code == 405


async def test_a_huge_body_is_refused_before_it_has_come(client: AsyncClient, settings: Settings) -> None:
    async def without_end() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 2**20

    check(await client.post("/api/users", content=without_end(), headers=JSON), "chunked")
    announced = {**JSON, "Content-Length": str(200 * 2**20)}
    check(await client.post("/api/users", content=without_end(), headers=announced), "announced")
