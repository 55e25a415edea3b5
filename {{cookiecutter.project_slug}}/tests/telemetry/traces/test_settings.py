"""What asks for something that is not there, or makes no sense, stops the service with a sentence."""

import subprocess
import sys
from typing import Any

import pytest

from app.adapters.telemetry_settings import TelemetrySettings
from app.composition.telemetry import Telemetry, open_telemetry
from app.core.config import SettingsError, checked_settings
from app.core.cqrs import ConfigurationError
from tests.databases import part_settings, settings_for
from tests.telemetry.processes import ROOT


async def telemetry_of(**settings: str) -> Telemetry:
    async with open_telemetry(settings_for("sqlite:///unused.db", **settings)) as telemetry:
        return telemetry


async def test_by_default_there_is_none() -> None:
    assert await telemetry_of() == Telemetry()


@pytest.mark.parametrize(
    ("setting", "url", "library", "extra"),
    [
        ("traces_url", "https://collector:4318", "opentelemetry.sdk.trace", "traces"),
        ("error_reports_url", "https://key@sentry.example/1", "sentry_sdk", "sentry"),
    ],
)
async def test_a_library_that_is_not_installed_is_named_with_the_cure(
    monkeypatch: pytest.MonkeyPatch, setting: str, url: str, library: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    for name in ("traces_http", "error_reports_http"):
        monkeypatch.delitem(sys.modules, f"app.adapters.{name}", raising=False)
    with pytest.raises(ConfigurationError, match=rf"{setting.upper()} asks for http, .*'\.\[{extra}\]'"):
        await telemetry_of(**{setting: url})


@pytest.mark.parametrize("setting", ["traces_url", "error_reports_url"])
@pytest.mark.parametrize("url", ["grpc://hunter2:4317", "hunter2"])
async def test_an_unknown_scheme_is_refused(setting: str, url: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{setting.upper()} has a scheme .* http://, https://") as raised:
        await telemetry_of(**{setting: url})
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("url", ["https://sentry.example/hunter2", "https://hunter2@sentry.example", "https://"])
async def test_what_is_no_dsn_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="ERROR_REPORTS_URL is not a DSN: take the one") as raised:
        await telemetry_of(error_reports_url=url)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("url", ["https://", "http:///v1/traces"])
async def test_a_collector_without_a_host_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="TRACES_URL names no host"):
        await telemetry_of(traces_url=url)


@pytest.mark.parametrize("name", ["traces_url", "error_reports_url"])
def test_their_addresses_are_not_shown(name: str) -> None:
    shown = repr(part_settings(TelemetrySettings, **{name: "https://u:hunter2@collector"}))
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"traces_ratio": 1.5}, "TRACES_RATIO is not valid"),
        ({"traces_ratio": -1}, "TRACES_RATIO is not valid"),
        ({"traces_ratio": 1.01}, "TRACES_RATIO is not valid"),
        ({"traces_url": "http://hunter2:http"}, "TRACES_URL is not valid: its port"),
        ({"error_reports_url": "https://hunter2@reports.example:1e5/1"}, "ERROR_REPORTS_URL is not valid: its port"),
    ],
)
def test_what_is_wrong_is_said_without_the_value(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as raised:
        checked_settings(**values)
    assert sentence in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("http://collector:4318/", "http://collector:4318/v1/traces"),
        ("https://api.example/otlp/v1/traces", "https://api.example/otlp/v1/traces"),
    ],
)
def test_a_path_is_added_where_there_is_none(url: str, endpoint: str) -> None:
    from app.adapters.traces_http import endpoint_of

    assert endpoint_of(url) == endpoint


def test_neither_is_imported_before_it_is_asked_for() -> None:
    """Each takes longer to import than a small command to run."""
    late = ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter", "sentry_sdk")
    imported = f"print(*({{*{late}}} & {{*sys.modules}}))"
    program = f"import sys, app.worker; {imported}; import app.main, app.cli.service; {imported}"
    process = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert process.stdout.splitlines() == ["", "opentelemetry"]
