from datetime import UTC, datetime

from app.domain.registration import NewUser

PASSWORD = "correct horse"


class Reverse:
    """Hides a password from nobody."""

    async def hash(self, password: str) -> str:
        """The password from back to front."""
        return password[::-1]

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Whether it is the same from the front."""
        return password_hash == password[::-1]

    def needs_rehash(self, password_hash: str) -> bool:
        """Never."""
        return False


async def test_somebody_becomes_a_user_whose_password_only_the_hasher_saw() -> None:
    now = datetime.now(UTC)
    new = NewUser("ada@example.org", "ada", PASSWORD, "Ada")
    user = await new.register(Reverse(), now)
    assert (user.email, user.username, user.full_name, user.created_at) == ("ada@example.org", "ada", "Ada", now)
    assert user.password_hash == PASSWORD[::-1]
    assert PASSWORD not in repr(new)


def test_every_field_has_its_rules() -> None:
    assert NewUser("ada@example.org", "ada", PASSWORD, "Ada").problems() == {}
    assert set(NewUser("", "", "", "").problems()) == {"email", "username", "password", "full_name"}
