"""Endpoints of users. The docstring of the command or query handler describes each of them in the API."""

from inspect import getdoc
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import Response

from app.api.errors import answer
from app.api.models import PageOf, page_of
from app.api.routes._user_bodies import Filter, PasswordChange, Role, UserChanges, UsersToRegister, UserToRegister
from app.dependencies import Bus, CurrentUser, Page
from app.domain.registration import NewUser
from app.handlers.user.assign_role_handler import AssignRoleCommand, AssignRoleHandler
from app.handlers.user.batch_create_users_handler import BatchCreateUsersCommand, BatchCreateUsersHandler
from app.handlers.user.change_password_handler import ChangePasswordCommand, ChangePasswordHandler
from app.handlers.user.create_user_handler import CreateUserCommand, CreateUserHandler
from app.handlers.user.deactivate_user_handler import DeactivateUserCommand, DeactivateUserHandler
from app.handlers.user.delete_user_handler import DeleteUserCommand, DeleteUserHandler
from app.handlers.user.find_users_handler import FindUsersHandler, FindUsersQuery
from app.handlers.user.get_user_dashboard_handler import GetUserDashboardHandler, GetUserDashboardQuery
from app.handlers.user.get_user_handler import GetUserHandler, GetUserQuery
from app.handlers.user.get_user_stats_handler import GetUserStatsHandler, GetUserStatsQuery
from app.handlers.user.reactivate_user_handler import ReactivateUserCommand, ReactivateUserHandler
from app.handlers.user.revoke_role_handler import RevokeRoleCommand, RevokeRoleHandler
from app.handlers.user.update_user_handler import UpdatedUser, UpdateUserCommand, UpdateUserHandler
from app.read_models.dashboard_views import UserDashboardView
from app.read_models.user_views import UserStatsView, UserView

router = APIRouter(prefix="/api/users", tags=["users"])


class UserCreated(BaseModel):
    """The user who was registered."""

    user_id: UUID


class UsersCreated(BaseModel):
    """The users who were registered, in the order of the request."""

    user_ids: list[UUID]


@router.post("", status_code=201, response_model=UserCreated, description=getdoc(CreateUserHandler))
async def create_user(body: UserToRegister, bus: Bus) -> Response:
    result = await bus.execute_command(CreateUserCommand(**body.model_dump()))
    return answer(result, lambda user_id: {"user_id": user_id}, Location=f"/api/users/{result.data}")


@router.post("/batch", status_code=201, response_model=UsersCreated, description=getdoc(BatchCreateUsersHandler))
async def batch_create_users(body: UsersToRegister, bus: Bus) -> Response:
    users = tuple(NewUser(**user.model_dump()) for user in body.users)
    result = await bus.execute_command(BatchCreateUsersCommand(users))
    return answer(result, lambda user_ids: {"user_ids": user_ids})


@router.get("", response_model=PageOf[UserView], description=getdoc(FindUsersHandler))
async def find_users(
    bus: Bus,
    page: Page,
    email_contains: Annotated[Filter | None, Query()] = None,
    role: Annotated[Filter | None, Query()] = None,
    is_active: bool | None = None,
) -> Response:
    result = await bus.execute_query(FindUsersQuery(email_contains, role, is_active, page.page, page.page_size))
    return answer(result, page_of(result))


@router.get("/stats", response_model=UserStatsView, description=getdoc(GetUserStatsHandler))
async def get_user_stats(bus: Bus) -> Response:
    return answer(await bus.execute_query(GetUserStatsQuery()))


@router.get("/me", response_model=UserView, description="Read oneself.")
async def get_me(user: CurrentUser, bus: Bus) -> Response:
    return answer(await bus.execute_query(GetUserQuery(user.user_id)))


@router.get("/{user_id}", response_model=UserView, description=getdoc(GetUserHandler))
async def get_user(user_id: UUID, bus: Bus, include_inactive: bool = False) -> Response:
    return answer(await bus.execute_query(GetUserQuery(user_id, include_inactive)))


@router.get("/{user_id}/dashboard", response_model=UserDashboardView, description=getdoc(GetUserDashboardHandler))
async def get_user_dashboard(user_id: UUID, bus: Bus) -> Response:
    return answer(await bus.execute_query(GetUserDashboardQuery(user_id)))


@router.patch("/{user_id}", response_model=UpdatedUser, description=getdoc(UpdateUserHandler))
async def update_user(user_id: UUID, body: UserChanges, bus: Bus) -> Response:
    return answer(await bus.execute_command(UpdateUserCommand(user_id, **body.model_dump())))


@router.delete("/{user_id}", status_code=204, description=getdoc(DeleteUserHandler))
async def delete_user(user_id: UUID, bus: Bus) -> Response:
    return answer(await bus.execute_command(DeleteUserCommand(user_id)))


@router.put("/{user_id}/password", status_code=204, description=getdoc(ChangePasswordHandler))
async def change_password(user_id: UUID, body: PasswordChange, user: CurrentUser, bus: Bus) -> Response:
    command = ChangePasswordCommand(user_id, **body.model_dump(), session_id=user.session_id)
    return answer(await bus.execute_command(command))


@router.post("/{user_id}/deactivate", status_code=204, description=getdoc(DeactivateUserHandler))
async def deactivate_user(user_id: UUID, bus: Bus) -> Response:
    return answer(await bus.execute_command(DeactivateUserCommand(user_id)))


@router.post("/{user_id}/reactivate", status_code=204, description=getdoc(ReactivateUserHandler))
async def reactivate_user(user_id: UUID, bus: Bus) -> Response:
    return answer(await bus.execute_command(ReactivateUserCommand(user_id)))


@router.put("/{user_id}/roles/{role}", status_code=204, description=getdoc(AssignRoleHandler))
async def assign_role(user_id: UUID, role: Role, bus: Bus) -> Response:
    return answer(await bus.execute_command(AssignRoleCommand(user_id, role)))


@router.delete("/{user_id}/roles/{role}", status_code=204, description=getdoc(RevokeRoleHandler))
async def revoke_role(user_id: UUID, role: Role, bus: Bus) -> Response:
    return answer(await bus.execute_command(RevokeRoleCommand(user_id, role)))
