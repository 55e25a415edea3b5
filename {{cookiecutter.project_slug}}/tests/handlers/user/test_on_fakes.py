"""Handlers alone, on fakes: no database, no server, and every policy in force all the same."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from app.core.cqrs import BaseQueryHandler, ConflictError, Grants, OperationStatus
from app.core.cqrs.testing import MemoryBus, MemoryUnitsOfWork
from app.domain.user import User
from app.handlers.user.create_user_handler import CreateUserCommand, CreateUserHandler
from app.handlers.user.get_unread_notifications_handler import GetUnreadNotificationsQuery
from app.handlers.user.get_user_dashboard_handler import GetUserDashboardHandler, GetUserDashboardQuery
from app.handlers.user.get_user_handler import GetUserQuery
from app.handlers.user.get_user_stats_handler import GetUserStatsQuery
from app.persistence.repositories.user_repository import UserRepository
from app.read_models.user_views import UserStatsView, UserView
from tests.core.cqrs.support import sent_by
from tests.users import PASSWORD, create_user


class FewUsers(UserRepository):
    """Users in a dictionary."""

    def __init__(self, units: MemoryUnitsOfWork) -> None:
        self._units = units
        self.by_email: dict[str, User] = {}

    async def add(self, *new: User) -> None:
        """Store new users."""
        for user in new:
            if user.email_key in self.by_email:
                raise ConflictError("This is taken.", details={"email": "is taken"})
            self.by_email[user.email_key] = self._units.track(user)


class PlainHasher:
    """Hashes nothing."""

    async def hash(self, password: str) -> str:
        """The form to store."""
        return f"hash of {password}"

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Whether this is the password of that hash."""
        return password_hash == f"hash of {password}"

    def needs_rehash(self, password_hash: str) -> bool:
        """Never."""
        return False


async def test_a_command_handler(cqrs_bus: MemoryBus) -> None:
    users = FewUsers(cqrs_bus.units)
    cqrs_bus.register_command_handler(
        CreateUserCommand, CreateUserHandler(users=users, hasher=PlainHasher(), clock=cqrs_bus.clock)
    )
    result = await cqrs_bus.execute_command(create_user(email="Ada@example.org"))
    ada = users.by_email["ada@example.org"]
    assert (result.status, result.data) == (OperationStatus.CREATED, ada.id)
    assert (ada.password_hash, ada.created_at) == (f"hash of {PASSWORD}", cqrs_bus.clock.now())
    assert [event.event_type for event in cqrs_bus.units.events] == ["UserCreated"]
    assert (await cqrs_bus.execute_command(create_user())).errors == {"email": "is taken"}
    assert (await cqrs_bus.execute_command(create_user(password=""))).status is OperationStatus.VALIDATION_ERROR
    assert cqrs_bus.units.journal == ["begin", "record UserCreated", "commit", "begin", "rollback"]


NOBODY: dict[str, Any] = {"total": 0, "active": 0, "inactive": 0, "by_role": {}}


class Answering(BaseQueryHandler):
    """Has one answer."""

    answer: Any

    async def _handle(self, query: Any) -> Any:
        return self.answer


async def test_a_query_handler(cqrs_bus: MemoryBus) -> None:
    ada = User(
        id=uuid4(),
        email="ada@example.org",
        username="ada",
        full_name="Ada",
        password_hash="",
        created_at=datetime.now(UTC),
    )
    view = UserView(**{name: getattr(ada, name) for name in UserView.model_fields if name != "roles"}, roles=())
    parts = {GetUserQuery: view, GetUnreadNotificationsQuery: [], GetUserStatsQuery: UserStatsView(**NOBODY)}
    cqrs_bus.register_query_handlers({query: Answering(answer=answer) for query, answer in parts.items()})
    cqrs_bus.register(GetUserDashboardHandler)
    cqrs_bus.access.grants[str(ada.id)] = Grants(frozenset({"user:read:own"}))

    read = await cqrs_bus.execute_query(sent_by(str(ada.id), GetUserDashboardQuery(ada.id)))
    again = await cqrs_bus.execute_query(sent_by(str(ada.id), GetUserDashboardQuery(ada.id)))

    assert (read.unwrap().user, read.unwrap().parts) == (view, {})
    assert again.cache_info and again.cache_info["hit"]
    refused = await cqrs_bus.execute_query(sent_by(str(ada.id), GetUserDashboardQuery(uuid4())))
    assert refused.status is OperationStatus.FORBIDDEN
