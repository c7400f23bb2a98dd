"""The page docs/states.md, from the tables that the code obeys."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from migrator.ledger.schema import COPY_MOVES, MESSAGE_MOVES
from migrator.pop3.protocol import MOVES, Outcome, Verb

_HEAD = """\
# States and moves

Each of these tables is one table in the code, and one function (or one trigger of the database) applies it: a move that is not there
fails. This page is printed from them (`make docs`).

"""

_COPY = """\
## One copy: a content at a destination

`COPY_MOVES` in `migrator/ledger/schema.py`, a trigger in the ledger. A copy begins as `intended`, before its first byte is written.
`verified`, `unproven`, `damaged` and `gone` are judgements on what was read back; only a damaged copy is stored again.

"""

_MESSAGE = """\
## One message seen at a source

`MESSAGE_MOVES` in `migrator/ledger/schema.py`, a trigger in the ledger. A message begins as `listed`. `delete-requested` is durable
before the first DELE is sent; `deleted` is what the reply to QUIT, or the next listing, has confirmed.

"""

_POP3 = """\
## The POP3 session

`MOVES` in `migrator/pop3/protocol.py` (RFC 1939, sections 3 to 6; RFC 2595; RFC 5034). An arrow bears the command, with what was
answered where it matters. Commands that leave the state as it is stand below the picture.

"""


def page() -> str:
    """Return the whole page."""
    return (
        _HEAD
        + _POP3
        + _diagram("GREETING", _pop3_arrows())
        + _pop3_staying()
        + _COPY
        + _diagram("intended", _arrows(COPY_MOVES))
        + "\n"
        + _MESSAGE
        + _diagram("listed", _arrows(MESSAGE_MOVES))
    )


def _diagram(first: str, arrows: Iterator[str]) -> str:
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {_node(first)}", *arrows, "```", ""]
    return "\n".join(lines)


def _node(state: str) -> str:
    return state.replace("-", "_")  # Mermaid takes a hyphen for the beginning of an arrow


def _arrows(moves: Mapping[str, Collection[str]]) -> Iterator[str]:
    for state in moves:
        if _node(state) != state:
            yield f'    state "{state}" as {_node(state)}'
    for before, afters in moves.items():
        yield from (f"    {_node(before)} --> {_node(after)}" for after in afters if after != before)


def _pop3_arrows() -> Iterator[str]:
    for before, moves in MOVES.items():
        words: dict[str, list[str]] = {}
        for (verb, outcome), after in moves.items():
            if after is not before:
                words.setdefault(after.name, []).append(_command(verb, outcome))
        yield from (f"    {before.name} --> {after}: {', '.join(said)}" for after, said in words.items())
        if not moves:
            yield f"    {before.name} --> [*]"


def _command(verb: Verb, outcome: Outcome) -> str:
    return verb.value if outcome is Outcome.SENT else f"{verb.value} {outcome.value}"


def _pop3_staying() -> str:
    rows = ["", "| state | is | stays at |", "| --- | --- | --- |"]
    for state, moves in MOVES.items():
        staying = dict.fromkeys(verb.value for (verb, _), after in moves.items() if after is state)
        rows.append(f"| {state.name} | {state.value} | {', '.join(staying) or '—'} |")
    return "\n".join([*rows, "", ""])
