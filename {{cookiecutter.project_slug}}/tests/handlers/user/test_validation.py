"""What is not valid in messages about users, and what of them is never shown."""

from uuid import uuid4

from app.domain.registration import NewUser
from app.handlers.user.assign_role_handler import AssignRoleCommand
from app.handlers.user.batch_create_users_handler import BatchCreateUsersCommand
from app.handlers.user.change_password_handler import ChangePasswordCommand
from app.handlers.user.create_admin_handler import CreateAdminCommand
from app.handlers.user.find_users_handler import FindUsersQuery
from app.handlers.user.login_handler import LoginCommand
from app.handlers.user.logout_handler import LogoutCommand
from app.handlers.user.refresh_tokens_handler import RefreshTokensCommand
from app.handlers.user.revoke_role_handler import RevokeRoleCommand
from app.handlers.user.update_user_handler import UpdateUserCommand
from tests.tables import Row, assert_problems
from tests.users import PASSWORD, create_user

ADA, BOB = (NewUser(f"{name}@example.org", name, PASSWORD, name.title()) for name in ("ada", "bob"))
NO_TEXTS_OF_A_USER = {
    "email": (
        *("", "ada", "ada@localhost", "a@b@example.org", "ada @example.org", f"{'a' * 250}@example.org"),
        *(f"{'ä' * 243}@example.org", "nul\x00@example.org", "\ud800@example.org"),
    ),
    "username": ("ab", "a" * 51, "ada@example.org", ".ada"),
    "password": ("short", "x" * 129, "null \x00 byte", "surrogate \udfff"),
    "full_name": ("", " Ada", "Ada\x07", "x" * 201),
}
NO_TOKENS = ("", "x" * 201, "\ud800", "\x00")

NAMED: list[Row] = [
    *((create_user(**{field: text}), field) for field, texts in NO_TEXTS_OF_A_USER.items() for text in texts),
    (BatchCreateUsersCommand(()), "users"),
    (BatchCreateUsersCommand((ADA,) * 101), "users"),
    (BatchCreateUsersCommand((ADA, BOB, ADA)), "users.2.email users.2.username"),
    (
        BatchCreateUsersCommand((ADA, NewUser("nowhere", "x", "short", ""))),
        "users.1.email users.1.username users.1.password users.1.full_name",
    ),
    (CreateAdminCommand("nowhere", "short"), "email password"),
    (ChangePasswordCommand(uuid4(), PASSWORD, "short"), "new_password"),
    (UpdateUserCommand(uuid4()), "email"),
    (UpdateUserCommand(uuid4(), email="nowhere"), "email"),
    (UpdateUserCommand(uuid4(), email="\ud800"), "email"),
    (UpdateUserCommand(uuid4(), full_name=""), "full_name"),
    (AssignRoleCommand(uuid4(), "nul\x00"), "role"),
    (RevokeRoleCommand(uuid4(), ""), "role"),
    (FindUsersQuery(page=0), "page"),
    (FindUsersQuery(page=2**31), "page"),
    (FindUsersQuery(page=2**31 - 1, page_size=100), ""),
    (FindUsersQuery(page_size=0), "page_size"),
    (FindUsersQuery(page_size=101), "page_size"),
    (FindUsersQuery(email_contains="\x00"), "email_contains"),
    (FindUsersQuery(role="\ud800"), "role"),
    (LoginCommand("", "x"), "login"),
    (LoginCommand("x" * 255, "x"), "login"),
    (LoginCommand("ada", ""), "password"),
    (LoginCommand("ada", "x" * 129), "password"),
    (LoginCommand("a\x00", "\ud800"), "login password"),
    *((RefreshTokensCommand(token), "refresh_token") for token in NO_TOKENS),
    *((LogoutCommand(token), "refresh_token") for token in NO_TOKENS),
]


def test_what_is_not_valid_is_named_with_its_place() -> None:
    assert_problems(NAMED)


def test_what_is_secret_is_in_no_representation() -> None:
    messages = [
        create_user(),
        create_user().new_user,
        CreateAdminCommand("ada@example.org", PASSWORD),
        ChangePasswordCommand(uuid4(), PASSWORD, PASSWORD),
        LoginCommand("ada", PASSWORD),
        RefreshTokensCommand(PASSWORD),
    ]
    assert [message for message in messages if PASSWORD in repr(message)] == []
