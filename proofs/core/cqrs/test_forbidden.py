"""Who is known and may not is FORBIDDEN, as HTTP says it; the name and the value of before are still understood."""

import pytest

from app.api.errors import HTTP
from app.core.cqrs import (
    AuthenticationError,
    AuthorizationError,
    BaseCommandHandler,
    ICommand,
    OperationResult,
    OperationStatus,
)
from app.core.cqrs.errors import ERROR_OF_STATUS


class Enter(ICommand[None]): ...


class EnterHandler(BaseCommandHandler[Enter, None]):
    def __init__(self, word: str) -> None:
        self.word = word

    async def _handle(self, command: Enter) -> None:
        getattr(self, self.word)("No.")


@pytest.mark.parametrize(
    ("word", "status", "error", "http"),
    [
        ("forbidden", OperationStatus.FORBIDDEN, AuthorizationError, 403),
        ("unauthorized", OperationStatus.UNAUTHENTICATED, AuthenticationError, 401),
    ],
)
async def test_the_helper_the_status_the_error_and_http_say_the_same(
    word: str, status: OperationStatus, error: type[Exception], http: int
) -> None:
    result = await EnterHandler(word).handle(Enter())
    assert result.status is status
    assert HTTP[result.status][0] == http
    assert ERROR_OF_STATUS[result.status] is error


def test_the_old_name_is_another_name_for_it() -> None:
    assert OperationStatus["UNAUTHORIZED"] is OperationStatus.FORBIDDEN
    assert OperationStatus.FORBIDDEN.name == "FORBIDDEN"
    assert OperationResult.failure(OperationStatus.UNAUTHORIZED).status is OperationStatus.FORBIDDEN
