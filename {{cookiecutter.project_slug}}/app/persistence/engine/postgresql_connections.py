"""Connections to PostgreSQL with the options of their URL, which SQLAlchemy would pass on as arguments to asyncpg."""

import socket
from typing import Any

from sqlalchemy import URL, make_url

from app.core.config import Settings
from app.core.cqrs import ConfigurationError
from app.core.database_options import postgresql_options

SILENCE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 2, "TCP_USER_TIMEOUT": 20_000}
"""The kernel ends a connection after about 20 s without a sign of the server's machine; by default, after 16 minutes.

The time-outs of statements are the server's, so they end nothing when its machine has vanished. A system that lacks one
of these options goes without it.
"""

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
        connection = await asyncpg.connect(**arguments)
        end_in_silence(connection._transport.get_extra_info("socket"))
        return connection
    except asyncpg.exceptions.ClientConfigurationError as error:
        raise ConfigurationError(f"DATABASE_URL cannot be used: {error.args[0]}.") from error
    except asyncpg.exceptions.TargetServerAttributeNotMatched as error:
        raise ConnectionError(str(error)) from error


def end_in_silence(connected: socket.socket) -> None:
    """Let the kernel end a TCP connection whose other machine has vanished without a word, as `SILENCE` says."""
    if connected.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in SILENCE.items():
        if hasattr(socket, name):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
