"""Changes the file of one account and keeps all else that stands there: comments, order, keys that it does not know."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.config.new_account import table_of
from migrator.errors import ConfigError
from migrator.lazy_dataclasses import dataclass, field

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

Raw = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be different. Destinations are known by their place in the file, from 0.

    ``source`` are keys of the source's table, where None takes a key away; ``places`` the same for some destinations,
    ``removed`` those that are taken out, ``added`` whole tables of new ones.
    """

    source: Raw = field(default_factory=dict)
    places: Mapping[int, Raw] = field(default_factory=dict)
    removed: Collection[int] = ()
    added: Sequence[Raw] = ()


def edited(path: Path, text: str, change: Change) -> str:
    """Return the text with the change made; raises ``ConfigError`` where it is written in a way that is not ours."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise ConfigError([f"{path}: this is not TOML: {error}"]) from None
    account = _account(path, document)
    _set(account["source"], change.source)
    places = account["destinations"]
    if change.places or change.removed or change.added:
        _check_tables(path, places)
    for number, keys in change.places.items():
        _set(places[number], keys)
    for number in sorted(change.removed, reverse=True):
        del places[number]
    for place in change.added:
        places.append(table_of(place))
    return tomlkit.dumps(document)


def _account(path: Path, document: TOMLDocument) -> Any:  # noqa: ANN401  # tomlkit's table
    accounts = document.get("accounts", [])
    is_usual = len(accounts) == 1 and isinstance(accounts[0], dict)
    if not is_usual or not isinstance(accounts[0].get("source"), dict) or "destinations" not in accounts[0]:
        raise _otherwise(path)
    return accounts[0]


def _check_tables(path: Path, places: object) -> None:
    from tomlkit.items import AoT

    if not isinstance(places, AoT):
        raise _otherwise(path)


def _otherwise(path: Path) -> ConfigError:
    return ConfigError([f"{path} is written in a way that this page does not change: change it there"])


def _set(table: Any, keys: Raw) -> None:  # noqa: ANN401  # tomlkit's table
    import tomlkit

    for key, value in keys.items():
        if value is None:
            table.pop(key, None)
        elif table.get(key) == value:
            continue  # it stays as it is written
        elif isinstance(value, Mapping):
            inline = tomlkit.inline_table()
            inline.update(value)
            table[key] = inline
        else:
            table[key] = value
