"""A part that this service lacks is passed over, and a setting that switches it on is refused."""

from pathlib import Path

import pytest

from app.core import config
from app.core.config import ENV_FILE, Settings, SettingsError, checked_settings, load_settings
from app.core.parts import optional


@pytest.fixture
def _without_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service has the settings of every service alone."""
    monkeypatch.setattr(config, "all_settings", lambda: Settings)


@pytest.mark.usefixtures("_without_parts")
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("BROKER_URL", "made without a broker: .* another answer to the template's question `broker`"),
        ("TRACES_URL", "made without traces: .* another answer to the template's question `telemetry`"),
        ("ERROR_REPORTS_URL", "made without error reports: .* another answer to the template's question `telemetry`"),
    ],
)
@pytest.mark.parametrize("given", ["environment", "file", "code"])
def test_a_setting_of_a_part_that_is_missing_is_refused(
    name: str, sentence: str, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    values: dict[str, str] = {}
    if given == "environment":
        monkeypatch.setenv(name, "http://hunter2@host")
    elif given == "file":
        ENV_FILE.write_text(f"{name}=http://hunter2@host\n")
    else:
        values = {name.lower(): "http://hunter2@host"}
    with pytest.raises(SettingsError, match=f"^{name} is set, but this service was {sentence}") as raised:
        checked_settings(**values)
    assert "hunter2" not in str(raised.value)


@pytest.mark.usefixtures("_without_parts")
def test_an_empty_one_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_URL", "")
    ENV_FILE.write_text("TRACES_URL=\n")
    assert load_settings().environment == "development"


def test_a_module_that_is_missing_is_none() -> None:
    assert optional("app.core.nowhere") is None
    assert optional("app.nowhere.at_all") is None
    assert optional("app.core.parts") is not None


def test_a_module_that_is_present_and_cannot_be_imported_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_a_part.py").write_text("import what_is_not_installed\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match="what_is_not_installed"):
        optional("half_a_part")
