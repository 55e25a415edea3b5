"""Error reports by way of Sentry's protocol: to Sentry, GlitchTip, and what else understands it.

A thread sends them, from a queue that takes no more when it is full. A report tells where a bug is and in which
operation; the words of errors and the values of variables stay in the log, because they may be somebody's.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from sentry_sdk import Client
from sentry_sdk.types import Event, Hint
from sentry_sdk.utils import BadDsn, event_from_exception

from app.core.config import Settings
from app.core.cqrs import ConfigurationError, OperationMetadata

MOST_WAITING = 100
LAST_SECONDS = 2.0
"""How long the end of the service waits for what is not sent yet."""

logger = structlog.get_logger(__name__)


@asynccontextmanager
async def open_error_reports(settings: Settings) -> AsyncIterator["SentryReports"]:
    """The reports of `http://` and `https://`.

    Raises:
        ConfigurationError: the URL is no DSN.
    """
    client = _client(settings)
    try:
        yield SentryReports(client, settings.service_name)
    finally:
        await asyncio.to_thread(client.close, LAST_SECONDS)


def _client(settings: Settings) -> Client:
    try:
        return Client(
            dsn=settings.error_reports_url,
            release=settings.release or None,
            environment=settings.environment,
            before_send=without_words,
            default_integrations=False,
            auto_session_tracking=False,
            include_local_variables=False,
            max_breadcrumbs=0,
            transport_queue_size=MOST_WAITING,
        )
    except BadDsn as error:
        raise ConfigurationError(
            "ERROR_REPORTS_URL is no DSN: take the one that Sentry shows in the settings of the project; it looks like "
            "https://KEY@sentry.example.com/PROJECT."
        ) from error


class SentryReports:
    """Tells a Sentry. A client of its own, so that nothing is caught or changed that was not given to it."""

    def __init__(self, client: Client, service_name: str) -> None:
        self._client = client
        self._service_name = service_name

    def report(self, error: BaseException, name: str, metadata: OperationMetadata) -> None:
        """Tell about an error."""
        try:
            event, hint = event_from_exception(error, client_options=self._client.options)
            self._client.capture_event({**event, **self._about(name, metadata)}, hint)  # type: ignore[typeddict-item]
        except Exception:
            logger.exception("error_not_reported", operation_id=metadata.operation_id)

    def _about(self, name: str, metadata: OperationMetadata) -> dict[str, Any]:
        tags = {
            "service": self._service_name,
            "message_name": name,
            "operation_id": metadata.operation_id,
            "correlation_id": metadata.correlation_id,
            "source": metadata.source,
        }
        return {
            "transaction": name,
            "tags": {tag: value for tag, value in tags.items() if value},
            "user": {"id": metadata.user_id} if metadata.user_id else {},
        }


def without_words(event: Event, hint: Hint) -> Event:
    """The event with types and places of errors, and nothing that an error says."""
    for described in event.get("exception", {}).get("values", ()):
        described["value"] = ""
    return event
