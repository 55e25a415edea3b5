"""The registration of users."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from app.domain.ports import PasswordHasher
from app.domain.text import only_problems
from app.domain.user import User, email_problem, full_name_problem, password_problem, username_problem


@dataclass(frozen=True, slots=True)
class NewUser:
    """The data of a user to register."""

    email: str
    username: str
    password: str = field(repr=False)
    full_name: str

    def problems(self) -> dict[str, str]:
        """Field -> its problem."""
        return only_problems(
            {
                "email": email_problem(self.email),
                "username": username_problem(self.username),
                "password": password_problem(self.password),
                "full_name": full_name_problem(self.full_name),
            }
        )

    async def register(self, hasher: PasswordHasher, now: datetime) -> User:
        """Create the user, with a hashed password; it is not stored yet."""
        return User(
            id=uuid4(),
            email=self.email,
            username=self.username,
            full_name=self.full_name,
            password_hash=await hasher.hash(self.password),
            created_at=now,
        )
