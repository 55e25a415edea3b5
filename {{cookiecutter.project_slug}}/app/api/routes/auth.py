"""Logging in, staying logged in, logging out."""

from inspect import getdoc
from typing import Annotated

from fastapi import APIRouter, Form
from pydantic import BaseModel
from starlette.responses import Response

from app.api.document import problems
from app.api.errors import answer
from app.api.models import Body, Text
from app.api.shapes import body_config, text
from app.dependencies import AnonymousBus
from app.domain.user import LONGEST_EMAIL, LONGEST_PASSWORD
from app.handlers.user.login_handler import LoginCommand, LoginHandler
from app.handlers.user.logout_handler import LogoutCommand, LogoutHandler
from app.handlers.user.refresh_tokens_handler import RefreshTokensCommand, RefreshTokensHandler
from app.persistence.repositories.login_sessions import LONGEST_REFRESH_TOKEN
from app.read_models.token_views import TokensView

router = APIRouter(prefix="/api/auth", tags=["auth"])


class LoginForm(BaseModel):
    """The password form of OAuth2; its other fields are ignored."""

    model_config = body_config({"username": "ada", "password": "correct horse battery staple"})

    username: Annotated[Text, text(LONGEST_EMAIL, shortest=1)]
    """The e-mail address or the username."""
    password: Annotated[Text, text(LONGEST_PASSWORD, shortest=1)]


class RefreshToken(Body):
    """The refresh token of a login or of the last refresh."""

    model_config = body_config({"refresh_token": "the refresh_token of the last answer"})

    refresh_token: Annotated[Text, text(LONGEST_REFRESH_TOKEN, shortest=1)]


@router.post("/login", response_model=TokensView, responses=problems(401), description=getdoc(LoginHandler))
async def login(form: Annotated[LoginForm, Form()], bus: AnonymousBus) -> Response:
    return answer(await bus.execute_command(LoginCommand(form.username, form.password)))


@router.post("/refresh", response_model=TokensView, responses=problems(401), description=getdoc(RefreshTokensHandler))
async def refresh(body: RefreshToken, bus: AnonymousBus) -> Response:
    return answer(await bus.execute_command(RefreshTokensCommand(body.refresh_token)))


@router.post("/logout", status_code=204, description=getdoc(LogoutHandler))
async def logout(body: RefreshToken, bus: AnonymousBus) -> Response:
    return answer(await bus.execute_command(LogoutCommand(body.refresh_token)))
