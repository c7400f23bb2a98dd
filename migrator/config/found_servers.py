"""The servers that were found for addresses in a sheet of accounts, remembered in the state folder.

A configuration is read without asking anybody over the network: what was found once is found here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from migrator.files import make_folder, replace_file

FILE_NAME = "servers-of-addresses.json"
KEYS = ("host", "port", "tls", "username")

Server = Mapping[str, object]


def servers_found(state_dir: Path) -> dict[str, Server]:
    """Return what is remembered, by address in small letters; nothing where there is no such file, or an odd one."""
    try:
        known = json.loads((state_dir / FILE_NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {
        address: {key: server[key] for key in KEYS if key in server}
        for address, server in known.items()
        if isinstance(server, dict)
    }


def remember_servers(state_dir: Path, found: Mapping[str, Server]) -> None:
    """Add servers to what is remembered; raises ``OSError``. It can be found again, so nothing waits for the disk."""
    if found:
        make_folder(state_dir)
        known = servers_found(state_dir) | {address.lower(): server for address, server in found.items()}
        with replace_file(state_dir / FILE_NAME, is_durable=False) as file:
            file.write(json.dumps(known, indent=1, sort_keys=True).encode())
