from datetime import UTC, datetime
from uuid import uuid4

import pytest

from app.core.cqrs import BusinessRuleViolationError, DomainEvent
from app.domain.user import ADMIN, MEMBER, User, email_problem, username_problem
from app.domain.user_events import (
    PasswordChanged,
    RoleAssigned,
    RoleRevoked,
    UserActivated,
    UserCreated,
    UserDeactivated,
    UserDeleted,
    UserEvent,
    UserUpdated,
)


@pytest.fixture
def user() -> User:
    return User(
        id=uuid4(),
        email="Ada@Example.org",
        username="Ada",
        full_name="Ada Lovelace",
        password_hash="hash",
        created_at=datetime.now(UTC),
    )


def raised(user: User) -> list[DomainEvent]:
    return [one.event for one in user.take_events()]


def test_a_new_user_is_an_active_member(user: User) -> None:
    assert (user.is_active, user.roles, user.email_key, user.username_key) == (True, {MEMBER}, "ada@example.org", "ada")
    (event,) = raised(user)
    assert isinstance(event, UserCreated)
    assert (event.user_id, event.email) == (user.id, "Ada@Example.org")


def test_its_whole_life_is_told_by_events(user: User) -> None:
    raised(user)
    user.update(email="ada@example.com", full_name="Ada King")
    user.change_password("other")
    user.assign_role(ADMIN)
    user.revoke_role(ADMIN)
    user.deactivate()
    user.reactivate()
    user.delete()
    stored = user.take_events()
    assert [one.version for one in stored] == list(range(2, user.version + 1))
    updated, *others = (one.event for one in stored)
    assert isinstance(updated, UserUpdated)
    assert updated.changed == ("email", "full_name")
    kinds = [PasswordChanged, RoleAssigned, RoleRevoked, UserDeactivated, UserActivated, UserDeleted]
    assert [type(event) for event in others] == kinds
    assert all(isinstance(event, UserEvent) and event.user_id == user.id for event in others)


def test_what_changes_nothing_raises_nothing(user: User) -> None:
    raised(user)
    assert user.update(email=user.email, full_name=user.full_name) == ()
    assert user.update() == ()
    user.assign_role(MEMBER)
    assert raised(user) == []


def test_another_case_of_an_address_is_a_change_of_the_address_only(user: User) -> None:
    assert user.update(email="ADA@example.org") == ("email",)
    assert (user.email, user.email_key) == ("ADA@example.org", "ada@example.org")


def test_what_makes_no_sense_is_refused(user: User) -> None:
    with pytest.raises(BusinessRuleViolationError):
        user.reactivate()
    user.deactivate()
    with pytest.raises(BusinessRuleViolationError):
        user.deactivate()
    with pytest.raises(BusinessRuleViolationError):
        user.revoke_role("unheard of")


def test_an_address_is_one_or_is_none() -> None:
    good = ("a@b.co", "ada.lovelace+notes@sub.example.org", "ä@ö.example", '"x"@example.org')
    bad = ("@example.org", "a@.org", "a@b.", "a@b..c", "a b@c.de", "a@b.c\n", "a@b@c.de")
    assert [email for email in (*good, *bad) if email_problem(email) is None] == [*good]


def test_a_username_is_one_or_is_none() -> None:
    good, bad = ("ada", "A.d-a_1", "1ada"), ("ad", "ada ", "ada.", "-ada", "adä", "a@b.cd", "ada\n")
    assert [username for username in (*good, *bad) if username_problem(username) is None] == [*good]
