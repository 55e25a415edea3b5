"""Settings from the environment and `.env`. Every backing service is a URL, whose scheme selects the adapter."""

import hmac
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, create_model, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.core.addresses import Address, check_address, check_network, check_origin, listed
from app.core.database_options import check_database_url
from app.core.guessable import ENOUGH_BITS, estimated_bits
from app.core.identity import installed_as
from app.core.misspelt import misspelt_in_file
from app.core.parts import setting_without_part

S = TypeVar("S", bound=BaseSettings)

ADAPTERS = "app.adapters"
ENV_FILE = Path(".env")
SHORTEST_SECRET_BYTES = 32
DAY_SECONDS = 24 * 3600
MOST_PASSWORD_MEMORY_KIB = 8 * 1024 * 1024
DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
"""Scheme of a database URL -> the same scheme with the driver that this service uses."""

UNNAMED = "unnamed_service"
"""The service's name in development and in tests if it is not installed. No service can be given it."""
SERVICE_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
LONGEST_SERVICE_NAME = 50
"""PostgreSQL limits a connection's name to 63 characters; the longest suffix of this service takes 11."""


class SettingsError(Exception):
    """A setting is missing or wrong; the message names the variable and the cure, but no value."""


def by_service_name(known: dict[str, Any]) -> str:
    """The default of a setting that is the service's name unless it is given; `known` are the settings before it."""
    return str(known.get("service_name"))


class Settings(BaseSettings):
    """All settings, each named like its environment variable. Immutable."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
    )

    environment: Literal["development", "test", "production"] = "development"
    secret_key: SecretStr = SecretStr("")
    """Signs tokens and fingerprints; the first start in development generates one."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    audit_log: bool = True
    """Whether each command is logged in one line: the user, the command and its outcome."""
    service_name: str = Field(default_factory=lambda: installed_as().name, validate_default=True)
    """The service's name in tokens, in events, and wherever several services meet. Default: that of the distribution.

    In development and tests `unnamed_service`, if the service is not installed.
    """
    release: str = Field(default_factory=lambda: installed_as().version)
    """The running version, such as a commit. By default that of the distribution."""

    api_docs: bool = Field(default_factory=lambda known: known.get("environment") != "production")
    """Whether `/docs` and `/openapi.json` are served. Default: outside of production."""
    cors_origins: str = ""
    """Origins that may call the API from a browser, such as `https://shop.example`, separated by commas."""
    trusted_proxies: str = ""
    """Addresses or networks of proxies, such as `10.0.0.0/8`, separated by commas; empty: their headers are ignored.

    `X-Forwarded-For` and `X-Forwarded-Proto` of these say who the client is, and whether it uses TLS.
    """
    max_body_bytes: int = Field(default=1024 * 1024, ge=1, le=1024**3)
    """A body is held in memory."""
    body_timeout_seconds: float = Field(default=15.0, ge=0.1, le=3600)
    """How long the body of a request may take to arrive."""

    database_url: str = Field(default="sqlite:///./app.db", repr=False, validate_default=True)
    sqlite_in_production: bool = False
    """Confirms that production uses SQLite on purpose: one file, on one machine."""
    read_database_url: str | None = Field(default=None, repr=False)
    """A replica that queries read from; None: `database_url`."""
    database_pooler: bool = False
    """Whether a pooler, such as PgBouncer, is in front of PostgreSQL, at one of the two addresses or both."""
    database_pool_size: int = Field(default=10, ge=1, le=1000)
    """Maximum number of connections, for writing and for reading each; SQLite has one writer."""
    database_pool_timeout_seconds: float = Field(default=10.0, ge=0.01, le=3600)
    """How long an operation waits for a connection."""
    database_lock_timeout_seconds: float = Field(default=10.0, ge=0.01, le=3600)
    database_statement_timeout_seconds: float = Field(default=30.0, ge=0.01, le=DAY_SECONDS)
    """PostgreSQL only, like the next one: SQLite has no equivalent."""
    database_idle_transaction_timeout_seconds: float = Field(default=60.0, ge=0.01, le=DAY_SECONDS)

    idempotency_key_seconds: int = Field(default=DAY_SECONDS, ge=1, le=10 * 365 * DAY_SECONDS)
    """How long a request that is repeated under the same key gets the first response."""
    sweep_interval_seconds: float = Field(default=3600.0, ge=1, le=30 * DAY_SECONDS)
    """About how often expired keys and logins are deleted."""

    cache_url: Address = Field(default="memory://", repr=False)
    cache_max_entries: int = Field(default=10_000, ge=1, le=10_000_000)
    """In the memory of each process."""

    relay_in_service: bool = True
    """False: this process only writes events to the log, and workers (`app worker`) deliver them."""
    relay_poll_seconds: float = Field(default=1.0, ge=0.01, le=300)
    """How often a relay polls for events that no commit has announced."""
    event_max_attempts: int = Field(default=10, ge=1, le=1000)
    """After so many failed attempts by a handler, an event is dead until an operator decides: `app outbox`."""
    event_max_steps: int = Field(default=100, ge=1, le=1_000_000)
    """Maximum length of a chain of events, reaction by reaction, before it is treated as an infinite loop."""
    event_retry_seconds: float = Field(default=1.0, ge=0.01, le=300)
    """Delay before the first retry of an event; it doubles with each further failure, up to 5 minutes."""

    access_token_seconds: int = Field(default=15 * 60, ge=1, le=DAY_SECONDS)
    refresh_token_seconds: int = Field(default=30 * DAY_SECONDS, ge=1, le=366 * DAY_SECONDS)
    refresh_token_grace_seconds: float = Field(default=10.0, ge=0, le=60)
    """How long a used refresh token still gives its successor, while that is unused; 0: not at all."""
    login_attempts: int = Field(default=10, ge=1, le=1000)
    """Failed logins by an e-mail address or a username within `login_window_seconds`; further ones are refused."""
    login_window_seconds: int = Field(default=300, ge=1, le=DAY_SECONDS)

    password_time_cost: int = Field(default=3, ge=1, le=20)
    password_memory_kib: int = Field(default=65_536, ge=8, le=1024 * 1024)
    password_hashes_at_once: int = Field(default=2, ge=1, le=64)
    """Each takes `password_memory_kib` of memory while it is computed."""

    @field_validator("service_name")
    @classmethod
    def _with_name(cls, name: str, others: ValidationInfo) -> str:
        if name in ("", UNNAMED) and others.data.get("environment") == "production":
            raise ValueError(
                "the service has no name, because it is not installed: install it, as `pip install .` does, or set "
                "SERVICE_NAME. Two services without a name would share keys, queues and connections."
            )
        if name not in ("", UNNAMED) and (len(name) > LONGEST_SERVICE_NAME or not SERVICE_NAME.fullmatch(name)):
            raise ValueError(
                f"give it lower-case letters and digits with hyphens between, {LONGEST_SERVICE_NAME} at most."
            )
        return name or UNNAMED

    @field_validator("database_url", "read_database_url")
    @classmethod
    def _with_driver(cls, url: str | None) -> str | None:
        if url is None:
            return None
        url = _with_driver(url)
        check_address(url)
        check_database_url(url)
        return url

    @field_validator("cors_origins")
    @classmethod
    def _with_origins(cls, origins: str) -> str:
        for origin in listed(origins):
            if origin != "*":
                check_origin(origin)
        return origins

    @field_validator("trusted_proxies")
    @classmethod
    def _with_networks(cls, proxies: str) -> str:
        for proxy in listed(proxies):
            check_network(proxy)
        return proxies

    @property
    def allowed_origins(self) -> list[str]:
        """The origins listed in `cors_origins`."""
        return listed(self.cors_origins)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_secret(self.secret_key.get_secret_value(), self.environment)
        if self.environment == "production":
            self._check_production()
        if self.refresh_token_seconds < self.access_token_seconds:
            raise ValueError(
                "REFRESH_TOKEN_SECONDS is shorter than ACCESS_TOKEN_SECONDS: a login must last as long as a token."
            )
        if self.password_memory_kib * self.password_hashes_at_once > MOST_PASSWORD_MEMORY_KIB:
            raise ValueError("PASSWORD_MEMORY_KIB times PASSWORD_HASHES_AT_ONCE is more than 8 GiB: lower one of them.")
        if self.read_database_url and _scheme(self.read_database_url) != _scheme(self.database_url):
            raise ValueError(
                "READ_DATABASE_URL and DATABASE_URL are different databases: give both the same scheme, "
                "because one is the copy of the other."
            )
        if self.database_pooler and _scheme(self.database_url) == DRIVERS["sqlite"]:
            raise ValueError("DATABASE_POOLER is true, but SQLite has no pooler: leave it out.")
        return self

    def _check_production(self) -> None:
        if self.password_time_cost < 2 or self.password_memory_kib < 19_456:
            raise ValueError(
                "PASSWORD_TIME_COST and PASSWORD_MEMORY_KIB are too low for production: give at least 2 and 19456."
            )
        if "*" in self.allowed_origins:
            raise ValueError("CORS_ORIGINS admits every page of the web: list the origins that may call the API.")
        if _scheme(self.database_url) == DRIVERS["sqlite"] and not self.sqlite_in_production:
            raise ValueError(
                "DATABASE_URL is SQLite, the default, which is one file on one machine: set it to a postgresql:// URL, "
                "or set SQLITE_IN_PRODUCTION=true if SQLite is intended."
            )

    def key_for(self, purpose: str) -> bytes:
        """Derive a key for a purpose, so that a signature made for one purpose is not valid for another.

        Raises:
            SettingsError: if there is no SECRET_KEY.
        """
        secret = self.secret_key.get_secret_value().encode()
        if not secret:
            raise SettingsError(_MISSING_SECRET)
        return hmac.digest(secret, purpose.encode(), "sha256")


_MISSING_SECRET = (
    "SECRET_KEY is missing: set it to at least 32 random bytes, "
    "for example with `python -c 'import secrets; print(secrets.token_urlsafe(48))'`."
)


def load_settings() -> Settings:
    """Load the settings of this process. The first start in development writes its own SECRET_KEY to `.env`.

    Raises:
        SettingsError: if a setting is missing or wrong.
    """
    settings = checked_settings()
    if settings.secret_key.get_secret_value():
        return settings
    _write_secret(ENV_FILE)
    return checked_settings()


@contextmanager
def _readable_file() -> Iterator[None]:
    """Turn the error of a file that is not in UTF-8 into one that names it."""
    try:
        yield
    except UnicodeDecodeError:
        raise SettingsError(f"{ENV_FILE} is not in UTF-8: save it in that encoding.") from None


@_readable_file()
def checked_settings(**values: Any) -> Settings:
    """Load all settings of this service, with these values in place of the environment's.

    Raises:
        SettingsError: if a setting is missing or wrong, or belongs to a part that this service lacks.
    """
    if sentence := setting_without_part(all_settings(), values):
        raise SettingsError(sentence)
    return checked(all_settings(), **values)


@cache
def all_settings() -> type[Settings]:
    """The class of all settings of this service: those of every service, and those of its parts.

    The settings of a part are a class derived from `Settings`, in a module of `app.adapters` whose name ends in
    `_settings`.
    """
    folder = import_module(ADAPTERS).__path__
    names = [found.name for found in iter_modules(folder, f"{ADAPTERS}.") if found.name.endswith("_settings")]
    parts = [
        member
        for module in map(import_module, names)
        for member in vars(module).values()
        if isinstance(member, type) and issubclass(member, Settings) and member.__module__ == module.__name__
    ]
    return create_model("Settings", __base__=(*parts, Settings))


@_readable_file()
def checked(kind: type[S], **values: Any) -> S:
    """Load settings of this class: a feature may have its own.

    Raises:
        SettingsError: if a setting is missing or wrong.
    """
    for name, meant in misspelt_in_file(kind):
        raise SettingsError(
            f"{name} in .env is not a setting: do you mean {meant}? If it is your own, put its class into a module "
            f"{ADAPTERS}.*_settings, where it is found before it is read."
        )
    try:
        return kind(**values)
    except ValidationError as error:
        causes = [wrong for wrong in error.errors() if wrong["type"] != "default_factory_not_called"]
        raise SettingsError(" ".join(map(_sentence, causes))) from None


def _sentence(wrong: Any) -> str:
    """The error of one setting as a sentence. pydantic's own messages never contain the value."""
    said = str(wrong["msg"]).removeprefix("Value error, ")
    if not wrong["loc"]:
        return said
    return f"{str(wrong['loc'][0]).upper()} is not valid: {said[:1].lower()}{said[1:].rstrip('.')}."


def _check_secret(secret: str, environment: str) -> None:
    if not secret:
        if environment != "development":
            raise ValueError(_MISSING_SECRET)
        return
    if len(secret.encode()) < SHORTEST_SECRET_BYTES:
        raise ValueError(f"SECRET_KEY is too short: give it at least {SHORTEST_SECRET_BYTES} random bytes.")
    if environment == "production" and estimated_bits(secret) < ENOUGH_BITS:
        raise ValueError(
            "SECRET_KEY can be guessed, because a person made it up: set it to 32 or more random bytes, "
            "for example with `python -c 'import secrets; print(secrets.token_urlsafe(48))'`."
        )


def _write_secret(file: Path) -> None:
    try:
        file.touch(mode=0o600)
        file.chmod(0o600)
        with file.open("a") as env:
            if file.stat().st_size and not file.read_bytes().endswith(b"\n"):
                env.write("\n")
            env.write(f"SECRET_KEY={secrets.token_urlsafe(48)}\n")
    except OSError as error:
        raise SettingsError(
            f"SECRET_KEY is missing, and {file} cannot be written ({error.strerror}): set SECRET_KEY yourself."
        ) from error


def _with_driver(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in DRIVERS:
        raise ValueError("it does not start with a database this service knows: sqlite:/// or postgresql://.")
    if scheme.startswith("sqlite") and rest.partition("?")[0] in ("", "/", "/:memory:"):
        raise ValueError("a SQLite database needs a file, such as sqlite:///./app.db; in memory it has one connection.")
    return f"{DRIVERS[scheme]}://{rest}"


def _scheme(url: str) -> str:
    return url.partition("://")[0]
