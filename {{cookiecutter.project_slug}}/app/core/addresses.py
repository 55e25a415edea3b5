"""Validation of URLs and origins in settings."""

import re
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator

ORIGIN = re.compile(
    r"(?P<scheme>https?|capacitor|tauri|chrome-extension|moz-extension)://"
    r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]+))?"
)
"""Origins as browsers write them; they are compared character by character."""
PORT_OF_SCHEME = {"http": "80", "https": "443"}
HIGHEST_PORT = 65_535


def check_address(url: str) -> str:
    """Check that a URL can be connected to, and return it. The meaning of its scheme is left to the adapter.

    Raises:
        ValueError: if it has an invalid port, or characters that no URL contains.
    """
    hosts = hosts_of(url)
    if url != url.strip() or not url.isprintable() or any(" " in host for host in hosts):
        raise ValueError("remove spaces and line breaks around the URL and in its host.")
    for host in hosts:
        _, colon, port = host.rpartition("]")[2].partition(":")
        if colon and port and not (port.isdecimal() and port.isascii() and 1 <= int(port[:6]) <= HIGHEST_PORT):
            raise ValueError(f"its port is not a number from 1 to {HIGHEST_PORT}.")
    return url


def hosts_of(url: str) -> list[str]:
    """The hosts of a URL, each with its port if that is given; some servers have several."""
    address = url.partition("://")[2].partition("?")[0]
    return re.split("[/#]", address.rpartition("@")[2], maxsplit=1)[0].split(",")


Address = Annotated[str, AfterValidator(check_address)]
"""The type of a setting that is a URL; empty if there is none."""


def listed(origins: str) -> list[str]:
    """The origins in a comma-separated text."""
    return [origin.strip() for origin in origins.split(",") if origin.strip()]


def check_network(network: str) -> None:
    """Refuse what is neither an IP address nor a network of them.

    Raises:
        ValueError: if it is not.
    """
    try:
        ip_network(network)
    except ValueError as error:
        raise ValueError(
            "give addresses such as 10.0.0.7 or networks such as 10.0.0.0/8, with 0 for all that is behind the mask; "
            "with commas between."
        ) from error


def check_origin(origin: str) -> None:
    """Refuse an origin that no browser would send.

    Raises:
        ValueError: if it is not an origin, or not written as browsers write it.
    """
    found = ORIGIN.fullmatch(origin)
    if found is None:
        raise ValueError(
            "an origin looks like https://shop.example or http://localhost:3000: a scheme, a host in lower case, "
            "perhaps a port, and nothing else; with commas between."
        )
    if found["port"] is not None:
        check_address(origin)
        if found["port"] == PORT_OF_SCHEME.get(found["scheme"]):
            raise ValueError("leave the default port of http and https out, as browsers do.")
