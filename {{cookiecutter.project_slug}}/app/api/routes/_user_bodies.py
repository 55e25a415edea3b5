"""Bodies of requests about users."""

from typing import Annotated

from pydantic import Field

from app.api.models import Body, Text
from app.api.shapes import CONTROLS, WHITE, body_config, line, nothing, shaped, text
from app.domain.user import (
    LONGEST_EMAIL,
    LONGEST_NAME,
    LONGEST_PASSWORD,
    LONGEST_ROLE,
    LONGEST_USERNAME,
    SHORTEST_PASSWORD,
    SHORTEST_USERNAME,
    USERNAME,
)
from app.handlers.user.batch_create_users_handler import MOST_USERS

LETTER = f"[^@{CONTROLS}{WHITE}]"
LETTER_BETWEEN_DOTS = f"[^.@{CONTROLS}{WHITE}]"
EMAIL_PATTERN = rf"^{LETTER}+@{LETTER_BETWEEN_DOTS}+(?:\.{LETTER_BETWEEN_DOTS}+)+$"


Email = Annotated[Text, shaped(minLength=1, maxLength=LONGEST_EMAIL, pattern=EMAIL_PATTERN)]
Username = Annotated[
    Text, shaped(minLength=SHORTEST_USERNAME, maxLength=LONGEST_USERNAME, pattern=f"^{USERNAME.pattern}$")
]
Password = Annotated[Text, text(LONGEST_PASSWORD, SHORTEST_PASSWORD)]
FullName = Annotated[Text, line(LONGEST_NAME)]
Role = Annotated[Text, line(LONGEST_ROLE)]
Filter = Annotated[Text, text(LONGEST_EMAIL)]
ADA = {
    "email": "ada@example.com",
    "username": "ada",
    "password": "correct horse battery staple",
    "full_name": "Ada Lovelace",
}
GRACE = ADA | {"email": "grace@example.com", "username": "grace", "full_name": "Grace Hopper"}


class UserToRegister(Body):
    """A user to register."""

    model_config = body_config(ADA)

    email: Email
    username: Username
    password: Password
    full_name: FullName


class UsersToRegister(Body):
    """The users to register, all or none."""

    model_config = body_config({"users": [ADA, GRACE]})

    users: Annotated[list[UserToRegister], Field(min_length=1, max_length=MOST_USERS)]


class UserChanges(Body):
    """The fields to change, at least one."""

    model_config = body_config({"full_name": "Ada King"}, impossible=nothing("email", "full_name"))

    email: Email | None = None
    full_name: FullName | None = None


class PasswordChange(Body):
    """The current password, and the new one."""

    model_config = body_config({"current_password": ADA["password"], "new_password": "a longer horse battery staple"})

    current_password: Annotated[Text, text(LONGEST_PASSWORD, shortest=1)]
    new_password: Password
