"""What cannot be meant is refused at the start: the sentence names the variable, and never its value."""

import math
import secrets
from base64 import b32encode, b64encode
from pathlib import Path
from typing import Any, get_args
from uuid import uuid4

import pytest
import structlog
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from app.core.config import ENV_FILE, Settings, SettingsError, checked, checked_settings, load_settings
from app.core.guessable import ENOUGH_BITS, estimated_bits
from tests.databases import SqliteFiles, settings_for
from tests.lifespan import service_with

GOOD: dict[str, Any] = {
    "environment": "production",
    "secret_key": "k3Jx-9vQ2mZr7Lw0Ty5Bn8Hd4Gf6Pc1S",
    "database_url": "postgresql://app:pass@db.example/app",
}


def numbers(kind: type[Settings] = Settings) -> list[tuple[str, FieldInfo]]:
    """The settings that are numbers."""
    found = []
    for name, field in kind.model_fields.items():
        kinds = {field.annotation, *get_args(field.annotation)}
        if kinds & {int, float} and bool not in kinds:
            found.append((name, field))
    return found


def bound(field: FieldInfo, *names: str) -> float | None:
    """What a field has for one of these bounds."""
    return next((getattr(rule, name) for rule in field.metadata for name in names if hasattr(rule, name)), None)


def refused(**values: Any) -> str:
    """The sentence that refuses these settings in production."""
    with pytest.raises(SettingsError) as raised:
        checked_settings(**GOOD | values)
    return str(raised.value)


def test_these_are_fine_but_for_what_follows() -> None:
    assert checked_settings(**GOOD).environment == "production"


def test_every_number_has_bounds_and_its_default_is_within_them() -> None:
    for name, field in numbers():
        lowest, highest = bound(field, "ge", "gt"), bound(field, "le", "lt")
        assert lowest is not None, f"{name} has no lowest value"
        assert highest is not None, f"{name} has no highest value"
        assert lowest <= field.default <= highest, name
        assert math.isfinite(highest), name


@pytest.mark.parametrize("name", [name for name, _ in numbers()])
@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e400", 10**18, -1, "", "ten"])
def test_no_number_is_without_end_or_no_number(name: str, value: object) -> None:
    assert refused(**{name: value}).startswith(f"{name.upper()} is not valid: ")


class OwnSettings(BaseSettings):
    """As a team writes it, and forgets a bound."""

    model_config = Settings.model_config

    own_limit: float = 1.0


@pytest.mark.parametrize("value", ["inf", "nan", "-Infinity"])
def test_settings_of_a_team_are_finite_too(value: str) -> None:
    with pytest.raises(SettingsError, match="OWN_LIMIT is not valid"):
        checked(OwnSettings, own_limit=value)


REFUSED: list[tuple[dict[str, Any], str]] = [
    # logins
    ({"access_token_seconds": 10 * 365 * 24 * 3600}, "ACCESS_TOKEN_SECONDS is not valid"),
    ({"access_token_seconds": 86_401}, "ACCESS_TOKEN_SECONDS is not valid"),
    ({"refresh_token_seconds": 367 * 24 * 3600}, "REFRESH_TOKEN_SECONDS is not valid"),
    ({"refresh_token_seconds": 60}, "REFRESH_TOKEN_SECONDS is shorter than ACCESS_TOKEN_SECONDS"),
    ({"refresh_token_grace_seconds": 61}, "REFRESH_TOKEN_GRACE_SECONDS is not valid"),
    ({"login_attempts": 1001}, "LOGIN_ATTEMPTS is not valid"),
    ({"login_window_seconds": 86_401}, "LOGIN_WINDOW_SECONDS is not valid"),
    # passwords
    ({"password_memory_kib": 2**30}, "PASSWORD_MEMORY_KIB is not valid"),
    ({"password_memory_kib": 19_455}, "PASSWORD_TIME_COST and PASSWORD_MEMORY_KIB are too low for production"),
    ({"password_time_cost": 1}, "PASSWORD_TIME_COST and PASSWORD_MEMORY_KIB are too low for production"),
    ({"password_time_cost": 21}, "PASSWORD_TIME_COST is not valid"),
    ({"password_hashes_at_once": 65}, "PASSWORD_HASHES_AT_ONCE is not valid"),
    (
        {"password_memory_kib": 1024 * 1024, "password_hashes_at_once": 9},
        "PASSWORD_MEMORY_KIB times PASSWORD_HASHES_AT_ONCE is more than 8 GiB",
    ),
    # requests
    ({"max_body_bytes": 10**10}, "MAX_BODY_BYTES is not valid"),
    ({"max_body_bytes": 0}, "MAX_BODY_BYTES is not valid"),
    ({"body_timeout_seconds": 3601}, "BODY_TIMEOUT_SECONDS is not valid"),
    ({"body_timeout_seconds": 1e-9}, "BODY_TIMEOUT_SECONDS is not valid"),
    # the database
    ({"database_pool_size": 1001}, "DATABASE_POOL_SIZE is not valid"),
    ({"database_pool_timeout_seconds": 3601}, "DATABASE_POOL_TIMEOUT_SECONDS is not valid"),
    ({"database_lock_timeout_seconds": 0.0001}, "DATABASE_LOCK_TIMEOUT_SECONDS is not valid"),
    ({"database_statement_timeout_seconds": 86_401}, "DATABASE_STATEMENT_TIMEOUT_SECONDS is not valid"),
    ({"database_idle_transaction_timeout_seconds": 86_401}, "DATABASE_IDLE_TRANSACTION_TIMEOUT_SECONDS is not valid"),
    ({"database_url": "sqlite:///./app.db"}, "DATABASE_URL is SQLite"),
    ({"database_url": "sqlite:////data/hunter2.db"}, "SQLITE_IN_PRODUCTION=true if SQLite is intended"),
    (
        {"database_url": "sqlite:////data/hunter2.db", "sqlite_in_production": True, "database_pooler": True},
        "SQLite has no pooler",
    ),
    ({"database_url": "postgresql://u:hunter2@db:0/app"}, "DATABASE_URL is not valid: its port is not a number"),
    ({"database_url": "postgresql://u:hunter2@db:99999/app"}, "DATABASE_URL is not valid: its port is not a number"),
    ({"database_url": "postgresql://u:hunter2@db:five/app"}, "DATABASE_URL is not valid: its port is not a number"),
    ({"database_url": "postgresql://u:hunter2@ db/app"}, "DATABASE_URL is not valid: remove spaces"),
    ({"database_url": "postgresql://u:hunter2@db/app\n"}, "DATABASE_URL is not valid: remove spaces"),
    ({"read_database_url": "postgresql://u:hunter2@a,b:70000/app"}, "READ_DATABASE_URL is not valid: its port"),
    ({"database_url": "postgresql://u:hunter2@a:5432,b:5432/app"}, "DATABASE_URL is not valid: give several hosts as"),
    ({"database_url": "postgresql://db/app?hunter2=1"}, "DATABASE_URL is not valid: it has an option besides sslmode"),
    ({"database_url": "postgresql://db/app?sslmode=hunter2"}, "its option sslmode: input should be 'disable', 'allow'"),
    ({"database_url": "postgresql://db/app?ssl=hunter2"}, "its option ssl: input should be 'disable'"),
    ({"database_url": "postgresql://db/app?sslmode=require&sslmode=disable"}, "its option sslmode: input should be"),
    ({"database_url": "postgresql://db/app?sslmode=require&ssl=disable"}, "give sslmode or ssl, not both"),
    ({"database_url": "postgresql://db/app?sslrootcert=hunter2"}, "its option sslrootcert: path does not point to"),
    ({"database_url": "postgresql://db/app?channel_binding=require"}, "its option channel_binding: input should be"),
    ({"database_url": "postgresql://db/app?connect_timeout=0"}, "its option connect_timeout: input should be greater"),
    ({"database_url": "postgresql://db/app?target_session_attrs=read-only"}, "its option target_session_attrs: input"),
    ({"read_database_url": "postgresql://db/app?hunter2=1"}, "READ_DATABASE_URL is not valid: it has an option"),
    ({"database_url": "sqlite:///app.db?timeout=9", "sqlite_in_production": True}, "an option besides uri, mode"),
    ({"database_url": "sqlite:///app.db?mode=ro", "sqlite_in_production": True}, "mode and immutable need a URI"),
    # the rest
    ({"cache_url": "redis://hunter2:6379000/0"}, "CACHE_URL is not valid: its port"),
    ({"cache_url": " redis://hunter2"}, "CACHE_URL is not valid: remove spaces"),
    ({"broker_url": "nats://u:hunter2@broker:-1"}, "BROKER_URL is not valid: its port"),
    ({"cache_max_entries": 10**9}, "CACHE_MAX_ENTRIES is not valid"),
    ({"relay_poll_seconds": 0.001}, "RELAY_POLL_SECONDS is not valid"),
    ({"relay_poll_seconds": 301}, "RELAY_POLL_SECONDS is not valid"),
    ({"event_max_attempts": 1001}, "EVENT_MAX_ATTEMPTS is not valid"),
    ({"event_retry_seconds": 301}, "EVENT_RETRY_SECONDS is not valid"),
    ({"sweep_interval_seconds": 0.5}, "SWEEP_INTERVAL_SECONDS is not valid"),
    ({"sweep_interval_seconds": 31 * 24 * 3600}, "SWEEP_INTERVAL_SECONDS is not valid"),
    ({"idempotency_key_seconds": 10**10}, "IDEMPOTENCY_KEY_SECONDS is not valid"),
    ({"log_level": "hunter2"}, "LOG_LEVEL is not valid"),
]


@pytest.mark.parametrize(("values", "sentence"), REFUSED, ids=str)
def test_what_production_refuses(values: dict[str, Any], sentence: str) -> None:
    said = refused(**values)
    assert sentence in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "values",
    [
        {"database_url": "postgresql://u:p%40ss@db:5432/app"},
        {"database_url": "postgresql://u:p/ss:1@db:65535/app?ssl=require"},
        {"database_url": "postgresql://db/app?sslmode=require&connect_timeout=5&application_name=x&options=-c%20a%3Db"},
        {"database_url": "postgresql://u@/app?host=a:5432&host=b:5432&target_session_attrs=read-write"},
        {"database_url": "sqlite:///file:app.db?uri=true&mode=rw", "sqlite_in_production": True},
        {"database_url": "postgresql://u@[::1]:5432/app"},
        {"database_url": "sqlite:////data/my app.db", "sqlite_in_production": True},
        {"broker_url": "nats://a:4222,nats://b:4223"},
        {"broker_url": "kafka://a:9092,b:9092"},
        {"cache_url": "rediss://:p@cache.example/0"},
        {"max_body_bytes": 1024**3, "access_token_seconds": 86_400, "refresh_token_seconds": 86_400},
        {"refresh_token_grace_seconds": 0, "cors_origins": "", "trusted_proxies": ""},
    ],
    ids=str,
)
def test_what_may_be_meant_is_taken(values: dict[str, Any]) -> None:
    assert checked_settings(**GOOD | values)


def test_a_service_without_a_database_url_does_not_start_in_production() -> None:
    given = {name: value for name, value in GOOD.items() if name != "database_url"}
    with pytest.raises(SettingsError, match=r"DATABASE_URL is SQLite.*SQLITE_IN_PRODUCTION"):
        checked_settings(**given)
    assert checked_settings(**given, sqlite_in_production=True)
    assert checked_settings(**given | {"environment": "development"})


# --- secrets


GUESSABLE = [
    "abcdefgh" * 4,
    "x" * 64,
    "ab" * 20,
    "a" * 16 + "b" * 16,
    "aaaabbbbccccddddeeeeffffgggghhhh",
    "00112233445566778899aabbccddeeff",
    "1234567890" * 4,
    "zyxwvutsrqponmlkjihgfedcba987654",
    "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6",
    "qwertyuiopasdfghjklzxcvbnm123456",
    "QWERTYUIOP[]ASDFGHJKL;'ZXCVBNM,./",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9",
    "0pmnbvcxz;lkjhgfdsa-0987654321poiuytrewq",
    "deadbeef" * 4,
    "apple-apple-apple-apple-apple-apple",
    "Passw0rd!Passw0rd!Passw0rd!Passw0rd!",
    "secret-key-secret-key-secret-key-",
    "supersecretpasswordforproduction",
    "change-me-change-me-change-me-change-me",
    "my very secret key for the app 2024",
    "the quick brown fox jumps over the lazy dog",
    "an example of a secret, 32 bytes!",
    "ThisIsASecretKeyForJwtTokensAndItShouldBeLong",
    "MyVeryStrongSecretKeyForThePizzeria2024!",
    "TheQuickBrownFoxJumpsOverTheLazyDogs",
    "<generate with openssl rand -base64 32>",
    "<the-output-of-openssl-rand-which-you-have-to-run-once-by-yourself>",
    "To be or not to be, that is the question: whether 'tis nobler in the mind to suffer",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "09D25E094FAA6CA2556C818166B7A9563B93F7099F6F0F4CAA6CF63B88E8D3E7\n",
]


@pytest.mark.parametrize("secret", GUESSABLE)
def test_a_secret_that_somebody_made_up_is_refused_in_production(secret: str) -> None:
    said = refused(secret_key=secret)
    assert said.startswith("SECRET_KEY can be guessed")
    assert secret not in said
    assert checked_settings(**GOOD | {"secret_key": secret, "environment": "test"})


@pytest.mark.parametrize(
    "draw",
    [
        lambda: secrets.token_hex(16),
        lambda: secrets.token_hex(32),
        lambda: secrets.token_urlsafe(24),
        lambda: secrets.token_urlsafe(32),
        lambda: secrets.token_urlsafe(48),
        lambda: b64encode(secrets.token_bytes(32)).decode(),
        lambda: b32encode(secrets.token_bytes(20)).decode(),
        lambda: secrets.token_hex(32) + "\n",  # as `echo` writes it to a file
        lambda: str(uuid4()),
        lambda: "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(32)),
        lambda: "prefix-of-ours-" + secrets.token_hex(16),
    ],
)
def test_a_secret_that_a_machine_drew_is_taken(draw: Any) -> None:
    worst = min((draw() for _ in range(300)), key=estimated_bits)
    assert estimated_bits(worst) > ENOUGH_BITS, worst
    assert checked_settings(**GOOD | {"secret_key": worst})


def test_a_long_secret_is_looked_at_in_no_time_and_an_empty_one_is_worth_nothing() -> None:
    long = secrets.token_hex(2000)
    assert estimated_bits(long) == estimated_bits(long[:1000]) > ENOUGH_BITS
    assert estimated_bits("") == 0


# --- origins


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "garbage",
        "shop.example",
        "//shop.example",
        "ftp://shop.example",
        "https://shop.example/",
        "https://shop.example/app",
        "https://shop.example?x=1",
        "https://shop.example#top",
        "https://user@shop.example",
        "https://*.shop.example",
        "https://Shop.example",
        "HTTPS://shop.example",
        "https://bücher.example",
        "https://shop.example:0",
        "https://shop.example:99999",
        "https://shop.example:",
        "https://shop.example:443",
        "http://shop.example:80",
        "https://",
        "https://a.example;https://b.example",
        "https://a.example https://b.example",
        "'https://shop.example'",
    ],
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    for listed in (origin, f"https://good.example, {origin}"):
        said = refused(cors_origins=listed)
        assert said.startswith("CORS_ORIGINS is not valid: ")
    with pytest.raises(SettingsError):
        checked_settings(cors_origins=origin)


def test_all_origins_are_refused_in_production() -> None:
    for listed in ("*", "https://shop.example,*"):
        assert refused(cors_origins=listed).startswith("CORS_ORIGINS admits every page of the web")
    assert checked_settings(cors_origins="*").allowed_origins == ["*"]


def test_origins_are_listed() -> None:
    listed = " https://shop.example, http://localhost:3000,,https://[::1]:8443 ,capacitor://localhost"
    assert checked_settings(**GOOD | {"cors_origins": listed}).allowed_origins == [
        "https://shop.example",
        "http://localhost:3000",
        "https://[::1]:8443",
        "capacitor://localhost",
    ]


# --- names


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("DATABSE_URL=postgresql://u:hunter2@db/app", "DATABASE_URL"),
        ("ACCES_TOKEN_SECONDS=60", "ACCESS_TOKEN_SECONDS"),
        ("CORS_ORIGIN=https://shop.example", "CORS_ORIGINS"),
        ("secret_keys=hunter2", "SECRET_KEY"),
        ("export LOG_LEVELS=debug", "LOG_LEVEL"),
    ],
)
def test_a_slip_in_the_file_is_refused(line: str, meant: str) -> None:
    ENV_FILE.write_text(f"POSTGRES_PASSWORD=hunter2\n{line}\n")
    name = line.removeprefix("export ").partition("=")[0]
    with pytest.raises(SettingsError) as raised:
        load_settings()
    told = f"{name} in .env is not a setting: do you mean {meant}? If it is your own, put its class into a module"
    assert str(raised.value).startswith(told)


def test_what_is_not_ours_may_be_in_the_file() -> None:
    ENV_FILE.write_text(
        "POSTGRES_PASSWORD=x\nTEST_DATABASE_URL=x\nDATABASE_URL_OF_REPORTS=x\nPORT=1\nCOMPOSE_PROJECT_NAME=x\n"
        "database_url=sqlite:///./other.db\nDATABASE_URLS=which is no slip when the right one is there\n"
    )
    assert load_settings().database_url == "sqlite+aiosqlite:///./other.db"


async def test_a_slip_in_the_environment_is_told(
    sqlite_files: SqliteFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may belong to somebody else, so the service starts."""
    monkeypatch.setenv("LOGIN_ATTEMPT", "hunter2")
    monkeypatch.setenv("SOMEBODY_ELSES", "1")
    with sqlite_files.fresh(tmp_path) as url, structlog.testing.capture_logs() as logs:
        async with service_with(settings_for(url)):
            pass
    told = [line for line in logs if line["event"] == "setting_unknown"]
    assert [(line["variable"], line["meant"]) for line in told] == [("LOGIN_ATTEMPT", "LOGIN_ATTEMPTS")]
    assert "hunter2" not in str(logs)
