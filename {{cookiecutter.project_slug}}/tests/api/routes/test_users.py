"""Users over HTTP, as stories."""

from uuid import uuid4

from httpx2 import AsyncClient

from app.composition.container import RunningService
from tests.api.callers import Callers, new_user
from tests.databases import ON_SQLITE
from tests.users import PASSWORD

pytestmark = ON_SQLITE


async def test_somebody_registers_signs_in_and_changes_what_others_see(client: AsyncClient) -> None:
    created = await client.post("/api/users", json=new_user())
    assert created.status_code == 201
    user_id = created.json()["user_id"]
    assert created.headers["location"] == f"/api/users/{user_id}"

    tokens = (await client.post("/api/auth/login", data={"username": "ada", "password": PASSWORD})).json()
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    changed = await client.patch(f"/api/users/{user_id}", json={"full_name": "Countess of Lovelace"})
    read = await client.get(created.headers["location"])

    assert (changed.status_code, read.status_code) == (200, 200)
    assert changed.json() == read.json()
    assert read.json()["full_name"] == "Countess of Lovelace"
    assert read.json()["created_at"].endswith("Z")
    assert "password" not in read.text
    assert (await client.get("/api/users/me")).json() == read.json()


async def test_what_is_taken_is_named(client: AsyncClient) -> None:
    await client.post("/api/users", json=new_user())
    same_email = await client.post("/api/users", json=new_user(email="ADA@example.org", username="ada2"))
    same_name = await client.post("/api/users", json=new_user(email="ada2@example.org", username="Ada"))

    assert (same_email.status_code, same_email.json()["errors"]) == (409, {"email": "is taken"})
    assert (same_name.status_code, same_name.json()["errors"]) == (409, {"username": "is taken"})


async def test_every_wrong_field_is_named_and_the_password_is_not_echoed(client: AsyncClient) -> None:
    wrong = await client.post("/api/users", json=new_user(email="nobody", username="a", password="hunter2"))
    missing = await client.post("/api/users", json=new_user(email=None))
    unknown = await client.post("/api/users", json=new_user(is_admin=True))

    assert wrong.status_code == missing.status_code == unknown.status_code == 422
    assert set(wrong.json()["errors"]) == {"email", "username", "password"}
    assert missing.json()["errors"] == {"email": "Field required"}
    assert unknown.json()["errors"] == {"is_admin": "Extra inputs are not permitted"}
    assert "hunter2" not in wrong.text
    assert PASSWORD not in missing.text + unknown.text


async def test_members_see_and_change_only_themselves(client: AsyncClient, callers: Callers) -> None:
    ada, bob = await callers.member(), await callers.member()

    assert (await ada.get(ada.url)).status_code == 200
    assert (await ada.get(bob.url)).status_code == 403
    assert (await ada.patch(bob.url, json={"full_name": "Robert"})).status_code == 403
    assert (await ada.delete(bob.url)).status_code == 403
    assert (await ada.get("/api/users")).json()["errors"] == {"missing_permissions": "user:read"}
    for answer in (await client.get(ada.url), await client.delete(ada.url), await client.get("/api/users/me")):
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_administrators_list_users_page_by_page(callers: Callers) -> None:
    admin = await callers.administrator()
    for _ in range(4):
        await callers.member()

    found = await admin.get("/api/users", params={"page": 2, "page_size": 3, "role": "member"})
    filtered = await admin.get("/api/users", params={"email_contains": "ADMIN", "is_active": True})

    assert len(found.json()["items"]) == 2  # administrators are members too
    assert found.json()["pagination"] == {
        "page": 2,
        "page_size": 3,
        "total_count": 5,
        "total_pages": 2,
        "has_next": False,
        "has_previous": True,
    }
    assert [user["email"] for user in filtered.json()["items"]] == [admin.email]


async def test_administrators_register_many_at_once_or_none(callers: Callers) -> None:
    admin = await callers.administrator()
    users = [new_user(email=f"u{n}@example.org", username=f"user{n}") for n in range(12)]

    refused = await admin.post("/api/users/batch", json={"users": [*users, new_user(email="nobody")]})
    created = await admin.post("/api/users/batch", json={"users": users})
    none = await admin.post("/api/users/batch", json={"users": []})

    assert (refused.status_code, refused.json()["errors"]) == (422, {"users.12.email": "is not an e-mail address"})
    assert (created.status_code, len(created.json()["user_ids"])) == (201, 12)
    assert (none.status_code, list(none.json()["errors"])) == (422, ["users"])
    stats = (await admin.get("/api/users/stats")).json()
    assert stats == {"total": 13, "active": 13, "inactive": 0, "by_role": {"admin": 1, "member": 13}}


async def test_an_inactive_user_is_shown_only_when_asked_for_and_may_come_back(callers: Callers) -> None:
    admin, ada = await callers.administrator(), await callers.member()

    assert (await admin.post(f"{ada.url}/deactivate")).status_code == 204
    assert (await admin.get(ada.url)).status_code == 404
    assert (await admin.get(ada.url, params={"include_inactive": True})).json()["is_active"] is False
    assert (await ada.get(ada.url)).status_code in (401, 403)
    assert (await admin.post(f"{ada.url}/deactivate")).json()["type"] == "urn:problem:business_rule"
    assert (await admin.post(f"{ada.url}/reactivate")).status_code == 204
    assert (await ada.get(ada.url)).status_code == 401  # the login has ended, and does not come back
    signed_in = await ada.post("/api/auth/login", data={"username": ada.username, "password": PASSWORD})
    ada.headers["Authorization"] = f"Bearer {signed_in.json()['access_token']}"
    assert (await ada.get(ada.url)).json()["is_active"] is True


async def test_roles_are_in_force_at_once(callers: Callers) -> None:
    admin, ada = await callers.administrator(), await callers.member()

    assert (await ada.get("/api/users")).status_code == 403
    assert (await admin.put(f"{ada.url}/roles/admin")).status_code == 204
    assert (await ada.get("/api/users")).status_code == 200
    assert (await admin.delete(f"{ada.url}/roles/admin")).status_code == 204
    assert (await ada.get("/api/users")).status_code == 403
    assert (await admin.put(f"{ada.url}/roles/emperor")).status_code == 422


async def test_a_new_password_ends_all_other_sessions(client: AsyncClient, callers: Callers) -> None:
    ada = await callers.member()
    elsewhere = await client.post("/api/auth/login", data={"username": ada.email, "password": PASSWORD})
    change = {"current_password": PASSWORD, "new_password": "another good one"}

    wrong = await ada.put(f"{ada.url}/password", json={**change, "current_password": "a guess"})
    assert (wrong.status_code, wrong.json()["errors"]) == (422, {"current_password": "is wrong"})
    assert (await ada.put(f"{ada.url}/password", json=change)).status_code == 204

    stale = await client.post("/api/auth/refresh", json={"refresh_token": elsewhere.json()["refresh_token"]})
    kept = await client.post("/api/auth/refresh", json={"refresh_token": ada.refresh_token})
    assert (stale.status_code, kept.status_code) == (401, 200)


async def test_a_deleted_user_is_gone(callers: Callers) -> None:
    admin, ada = await callers.administrator(), await callers.member()

    assert (await ada.delete(ada.url)).status_code == 204
    assert (await admin.get(ada.url, params={"include_inactive": True})).status_code == 404
    assert (await ada.get(ada.url)).status_code in (401, 403)


async def test_a_dashboard_has_what_its_reader_may_see(callers: Callers, service: RunningService) -> None:
    admin, ada = await callers.administrator(), await callers.member()
    await service.bus.settled()

    hers = (await ada.get(f"{ada.url}/dashboard")).json()
    theirs = (await admin.get(f"{ada.url}/dashboard")).json()

    assert hers["user"]["username"] == ada.username
    assert "welcome" in [notification["kind"] for notification in hers["unread_notifications"]]
    assert hers["stats"] is None
    assert theirs["stats"]["total"] == 2


async def test_who_uses_another_method_is_told_all_that_an_address_takes(client: AsyncClient) -> None:
    told = [(await client.put(path)).headers["Allow"] for path in ("/api/users", f"/api/users/{uuid4()}")]
    assert told == ["GET, POST", "DELETE, GET, PATCH"]
