"""The settings of traces and error reports. `app.core.config` finds them by the name of this module."""

from pydantic import Field

from app.core.addresses import Address
from app.core.config import Settings


class TelemetrySettings(Settings):
    """Each field is named like its environment variable. Immutable."""

    traces_url: Address = Field(default="", repr=False)
    """A collector that accepts OTLP over HTTP (OpenTelemetry); empty: there are no spans."""
    traces_ratio: float = Field(default=1.0, ge=0, le=1)
    """The share of traces begun here that is recorded; a trace begun elsewhere is recorded if its caller records it."""
    error_reports_url: Address = Field(default="", repr=False)
    """The DSN of Sentry or of a compatible service; empty: bugs are only logged."""
