"""Which names the page answers to, and which pages may send it a form. Pure.

A page on loopback is reached by any web page in the same browser, under any name that its owner lets point to
127.0.0.1: the list of names is what keeps those out. Ports are not compared: a tunnel or a proxy has one of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")

_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::\d{1,5})?")


def name_of(host: str) -> str:
    """Return the name in a Host field, in small letters and without port; empty where it is none."""
    found = _HOST.fullmatch(host)
    return (found["v6"] or found["name"]).lower().rstrip(".") if found else ""


def is_ours(host: str, names: Iterable[str]) -> bool:
    """Say whether a Host field names this page: loopback, or one of the configured names."""
    name = name_of(host)
    return bool(name) and (name in LOOPBACK or name in {one.lower().strip("[]").rstrip(".") for one in names})


def is_own_form(host: str, origin: str | None, fetch_site: str | None) -> bool:
    """Say whether a form comes from a page of this host, as far as its request tells.

    Browsers send Origin with every form; ``null`` is a page without one, such as a sandboxed frame. Programs send none.
    """
    if origin is None:
        return fetch_site in {None, "same-origin", "none"}
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.netloc.lower() == host.lower()


def local_address(wanted: str) -> str:
    """Return an address of ours to go on to, empty for any other."""
    is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if is_ours and "\\" not in wanted else ""
