"""Numbers in the paths of addresses: no longer than the database takes, whatever screen or operation they are for."""

from __future__ import annotations

from starlette.convertors import IntegerConvertor, register_url_convertor


class PathNumber(IntegerConvertor):
    """What ``{number:int}`` stands for; a longer one is an address that is not there."""

    regex = "[0-9]{1,18}"


def bound_path_numbers() -> None:
    """Let the routes that are made from now on take such numbers only."""
    register_url_convertor("int", PathNumber())
