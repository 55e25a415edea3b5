"""Sends error reports in Sentry's protocol, to Sentry, GlitchTip or another compatible service.

A thread sends them from a bounded queue, which drops reports when it is full. A report contains the location of a bug
and its operation. Error messages and the values of variables stay in the log, because they may be personal data.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from sentry_sdk import Client
from sentry_sdk.types import Event, Hint
from sentry_sdk.utils import BadDsn, event_from_exception

from app.adapters.telemetry_settings import TelemetrySettings
from app.core.cqrs import ConfigurationError, OperationMetadata

ENCRYPTED = "https"
MOST_WAITING = 100
LAST_SECONDS = 2.0
"""How long the shutdown waits for unsent reports."""

logger = structlog.get_logger(__name__)


@asynccontextmanager
async def open_error_reports(settings: TelemetrySettings) -> AsyncIterator["SentryReports"]:
    """The error reporter of `http://` and `https://`.

    Raises:
        ConfigurationError: if the URL is not a DSN.
    """
    client = _client(settings)
    try:
        yield SentryReports(client, settings.service_name)
    finally:
        await asyncio.to_thread(client.close, LAST_SECONDS)


def _client(settings: TelemetrySettings) -> Client:
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
            "ERROR_REPORTS_URL is not a DSN: take the one that Sentry shows in the settings of the project, such as "
            "https://KEY@sentry.example.com/PROJECT."
        ) from error


class SentryReports:
    """Reports errors to Sentry. It has its own client, so that nothing else in the process is caught or changed."""

    def __init__(self, client: Client, service_name: str) -> None:
        self._client = client
        self._service_name = service_name

    def report(self, error: BaseException, name: str, metadata: OperationMetadata) -> None:
        """Queue a report of an error. A failure to do so is logged, not raised."""
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
    """The event with the types and locations of errors, but without their messages."""
    for described in event.get("exception", {}).get("values", ()):
        described["value"] = ""
    return event
