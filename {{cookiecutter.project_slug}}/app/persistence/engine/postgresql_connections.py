"""Connections to PostgreSQL with the options of their URL, which SQLAlchemy would pass on as arguments to asyncpg."""

from typing import Any

from sqlalchemy import URL, make_url

from app.core.config import Settings
from app.core.cqrs import ConfigurationError
from app.core.database_options import postgresql_options

READ_BY_SQLALCHEMY = ("host", "port", "user", "password", "passfile", "prepared_statement_cache_size")


def address_and_arguments(settings: Settings, url: str, suffix: str) -> tuple[URL, dict[str, Any]]:
    """The address that a URL names, and the arguments with which to connect to it.

    Args:
        settings: those of the service, which a connection is named after.
        url: `database_url` or `read_database_url`.
        suffix: the end of the connection's name.
    """
    address, options = make_url(url), postgresql_options(url)
    arguments = {
        "dsn": options.dsn,
        "timeout": float(options.connect_timeout),
        "server_settings": {"application_name": f"{options.application_name or settings.service_name}{suffix}"},
        "async_creator_fn": _connect,
    }
    return address.set(query={key: address.query[key] for key in READ_BY_SQLALCHEMY if key in address.query}), arguments


async def _connect(**arguments: Any) -> Any:
    import asyncpg  # a service on SQLite does not import it

    try:
        return await asyncpg.connect(**arguments)
    except asyncpg.exceptions.ClientConfigurationError as error:
        raise ConfigurationError(f"DATABASE_URL cannot be used: {error.args[0]}.") from error
    except asyncpg.exceptions.TargetServerAttributeNotMatched as error:
        raise ConnectionError(str(error)) from error
