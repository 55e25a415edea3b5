"""URLs and origins in settings: what nobody could mean."""

import re

ORIGIN = re.compile(
    r"(?P<scheme>https?|capacitor|tauri|chrome-extension|moz-extension)://"
    r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]+))?"
)
"""How browsers write where a page is from, which is compared letter by letter."""
PORT_OF_SCHEME = {"http": "80", "https": "443"}
HIGHEST_PORT = 65_535


def check_address(url: str) -> None:
    """Refuse a URL that nobody can connect to; what its scheme means the adapter knows.

    Raises:
        ValueError: it has a port that is none, or characters that no URL has.
    """
    address = url.partition("://")[2].partition("?")[0]
    hosts = re.split("[/#]", address.rpartition("@")[2], maxsplit=1)[0]
    if url != url.strip() or not url.isprintable() or " " in hosts:
        raise ValueError("no spaces and no line breaks may be around a URL, nor in its host.")
    for host in hosts.split(","):
        _, colon, port = host.rpartition("]")[2].partition(":")
        if colon and port and not (port.isdecimal() and port.isascii() and 1 <= int(port[:6]) <= HIGHEST_PORT):
            raise ValueError(f"its port is no number from 1 to {HIGHEST_PORT}.")


def listed(origins: str) -> list[str]:
    """The origins of a text with commas between them."""
    return [origin.strip() for origin in origins.split(",") if origin.strip()]


def check_origin(origin: str) -> None:
    """Refuse an origin that no browser says it has.

    Raises:
        ValueError: it is none, or is not written as browsers write it.
    """
    found = ORIGIN.fullmatch(origin)
    if found is None:
        raise ValueError(
            "an origin looks like https://shop.example or http://localhost:3000: a scheme, a host in small letters, "
            "perhaps a port, and nothing else; with commas between."
        )
    if found["port"] is not None:
        check_address(origin)
        if found["port"] == PORT_OF_SCHEME.get(found["scheme"]):
            raise ValueError("browsers leave the usual port of http and https away from an origin: do so too.")
