"""The options of a database's URL, behind its `?`: those of libpq that asyncpg has too, and those of SQLite's URIs."""

from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlencode

from pydantic import BaseModel, ConfigDict, Field, FilePath, ValidationError, model_validator

from app.core.addresses import hosts_of

TlsMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
TLS = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslpassword"})


class PostgresqlOptions(BaseModel):
    """Options of a PostgreSQL URL, each with libpq's meaning; others are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sslmode: TlsMode | None = None
    ssl: TlsMode | None = None
    """SQLAlchemy's name for `sslmode`."""
    sslrootcert: FilePath | None = None
    sslcert: FilePath | None = None
    sslkey: FilePath | None = None
    sslcrl: FilePath | None = None
    sslpassword: str | None = None
    channel_binding: Literal["disable", "prefer"] | None = None
    """asyncpg cannot require it."""
    target_session_attrs: Literal["any", "primary", "standby", "prefer-standby", "read-write"] | None = None
    connect_timeout: int = Field(default=10, ge=1, le=300)
    """In seconds."""
    application_name: str | None = Field(default=None, max_length=50)
    """In place of the service's name."""
    options: str | None = None

    host: str | list[str] | None = None
    port: int | None = Field(default=None, ge=1, le=65_535)
    user: str | None = None
    password: str | None = None
    passfile: str | None = None
    prepared_statement_cache_size: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.ssl and self.sslmode:
            raise ValueError("give sslmode or ssl, not both")
        return self

    @property
    def dsn(self) -> str:
        """The options that only asyncpg's parser of URLs understands, as a URL without an address."""
        query = self.model_dump(include={*TLS, "target_session_attrs", "options"}, exclude_none=True)
        if self.ssl:
            query["sslmode"] = self.ssl
        if self.target_session_attrs == "read-write":  # to asyncpg, a connection of the reading engine is none
            query["target_session_attrs"] = "primary"
        return f"postgresql://?{urlencode(query)}" if query else "postgresql://"


class SqliteOptions(BaseModel):
    """Options of a SQLite URL; others are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    uri: Literal["true"] | None = None
    """Whether the file is a URI, such as `file:app.db`, to which the other options belong."""
    mode: Literal["ro", "rw", "rwc"] | None = None
    immutable: Literal["0", "1"] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.mode or self.immutable) and not self.uri:
            raise ValueError("mode and immutable need a URI, such as sqlite:///file:app.db?uri=true&mode=ro")
        return self


def postgresql_options(url: str) -> PostgresqlOptions:
    """The options of a PostgreSQL URL that `check_database_url` accepts."""
    return PostgresqlOptions.model_validate(_given(url))


def check_database_url(url: str) -> None:
    """Refuse options of a URL that this service does not take, and several hosts where SQLAlchemy reads one.

    Raises:
        ValueError: if there are such; the message contains no value.
    """
    if len(hosts_of(url)) > 1:
        raise ValueError("give several hosts as postgresql://user@/name?host=one:5432&host=other:5432.")
    kind = SqliteOptions if url.startswith("sqlite") else PostgresqlOptions
    try:
        kind.model_validate(_given(url))
    except ValidationError as error:
        wrong = error.errors()[0]
        if wrong["type"] == "extra_forbidden":  # its name may be a piece of a password
            raise ValueError(f"it has an option besides {', '.join(kind.model_fields)}.") from None
        said = wrong["msg"].removeprefix("Value error, ")
        named = f"its option {wrong['loc'][0]}: " if wrong["loc"] else ""
        raise ValueError(f"{named}{said[:1].lower()}{said[1:]}.") from None


def _given(url: str) -> dict[str, Any]:
    given = parse_qs(url.partition("?")[2])
    return {name: values[0] if len(values) == 1 else values for name, values in given.items()}
