from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.core.config import ENV_FILE, Settings, SettingsError, checked, checked_settings, load_settings

SECRET = "k3Jx-9vQ2mZr7Lw0Ty5Bn8Hd4Gf6Pc1S"


def test_the_first_start_in_development_makes_its_own_secret() -> None:
    first = load_settings()
    assert len(first.secret_key.get_secret_value()) >= 32
    assert load_settings().secret_key == first.secret_key
    assert ENV_FILE.stat().st_mode & 0o077 == 0


def test_the_secret_is_added_to_what_is_in_the_file_already() -> None:
    ENV_FILE.write_text("DATABASE_POOL_SIZE=7")
    assert load_settings().database_pool_size == 7
    assert load_settings().secret_key.get_secret_value()


def test_an_empty_secret_is_none_at_all() -> None:
    ENV_FILE.write_text("SECRET_KEY=\n")
    assert load_settings().secret_key.get_secret_value()


def test_a_file_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.core.config.ENV_FILE", Path("nowhere/.env"))
    with pytest.raises(SettingsError, match=r"SECRET_KEY is missing, and nowhere/.env cannot be written"):
        load_settings()


@pytest.mark.parametrize("environment", ["test", "production"])
def test_elsewhere_a_secret_must_be_given(monkeypatch: pytest.MonkeyPatch, environment: str) -> None:
    monkeypatch.setenv("ENVIRONMENT", environment)
    with pytest.raises(SettingsError, match="SECRET_KEY is missing: set it to at least 32 random bytes"):
        load_settings()
    assert not ENV_FILE.exists()


@pytest.mark.parametrize(
    "secret",
    ["tiny", "x" * 31, "x" * 64, "change-me-change-me-change-me-change-me", "an example of a secret, 32 bytes!"],
)
def test_a_secret_that_can_be_guessed_is_refused_in_production(secret: str) -> None:
    with pytest.raises(SettingsError, match="SECRET_KEY") as raised:
        checked_settings(environment="production", secret_key=secret)
    assert secret not in str(raised.value)


def test_without_a_secret_nothing_is_signed() -> None:
    with pytest.raises(SettingsError, match="SECRET_KEY is missing"):
        Settings().key_for("anything")


def test_each_purpose_has_a_key_of_its_own() -> None:
    settings = checked_settings(environment="test", secret_key=SECRET)
    assert settings.key_for("tokens") == settings.key_for("tokens")
    assert settings.key_for("tokens") != settings.key_for("fingerprints")


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("sqlite:///./app.db", "sqlite+aiosqlite:///./app.db"),
        ("postgresql://u:p@db/app", "postgresql+asyncpg://u:p@db/app"),
        ("postgres://db/app", "postgresql+asyncpg://db/app"),
        ("postgresql+asyncpg://db/app", "postgresql+asyncpg://db/app"),
    ],
)
def test_the_driver_of_a_database_is_ours_to_choose(given: str, used: str) -> None:
    assert checked_settings(database_url=given).database_url == used


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"database_url": "mysql://root:hunter2@db/app"}, "DATABASE_URL is not valid: it does not start with"),
        ({"database_url": "hunter2"}, "sqlite:/// or postgresql://"),
        ({"database_url": "sqlite://"}, "needs a file"),
        ({"database_url": "sqlite:///:memory:"}, "needs a file"),
        ({"read_database_url": "mongodb://hunter2"}, "READ_DATABASE_URL is not valid"),
        ({"read_database_url": "postgresql://hunter2"}, "READ_DATABASE_URL and DATABASE_URL are different databases"),
        (
            {"environment": "hunter2"},
            "ENVIRONMENT is not valid: input should be 'development', 'test' or 'production'.",
        ),
        ({"database_pool_size": "hunter2"}, "DATABASE_POOL_SIZE is not valid: input should be a valid integer"),
        ({"service_name": "Hunter2"}, "SERVICE_NAME is not valid: give it lower-case letters and digits with hyphens"),
        ({"access_token_seconds": 0}, "ACCESS_TOKEN_SECONDS is not valid"),
        ({"idempotency_key_seconds": 0}, "IDEMPOTENCY_KEY_SECONDS is not valid"),
        ({"idempotency_key_seconds": 10**12}, "IDEMPOTENCY_KEY_SECONDS is not valid"),
        ({"event_max_steps": 0}, "EVENT_MAX_STEPS is not valid"),
        ({"event_retry_seconds": 0}, "EVENT_RETRY_SECONDS is not valid"),
        ({"sweep_interval_seconds": 0}, "SWEEP_INTERVAL_SECONDS is not valid"),
        ({"secret_key": "hunter2"}, "SECRET_KEY is too short"),
        (
            {"environment": "production", "secret_key": SECRET, "password_time_cost": 1},
            "PASSWORD_TIME_COST and PASSWORD_MEMORY_KIB are too low for production",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence_without_the_value(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as raised:
        checked_settings(**values)
    assert sentence in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("load", [checked_settings, lambda: checked(Settings)], ids=["all", "of a feature"])
def test_a_file_in_another_encoding_is_named(load: Callable[[], Settings]) -> None:
    Path(".env").write_bytes("# Clé\n".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"^\.env is not in UTF-8: save it in that encoding\.$"):
        load()


def test_settings_show_no_secret() -> None:
    shown = repr(checked_settings(database_url="postgresql://u:hunter2@db/app", secret_key=SECRET))
    assert "hunter2" not in shown
    assert SECRET not in shown


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        checked_settings().database_pool_size = 3
