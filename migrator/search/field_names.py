"""What a person may have meant by a field that there is none of. Pure."""

from __future__ import annotations

from collections.abc import Iterable

_ELSEWHERE = {
    "author": "from",
    "bigger": "larger",
    "content": "body",
    "day": "date",
    "file": "attachment",
    "filename": "attachment",
    "is": "has",
    "mid": "id",
    "msgid": "id",
    "newer": "after",
    "older": "before",
    "recipient": "to",
    "sender": "from",
    "sent": "date",
    "since": "after",
    "size": "larger",
    "text": "body",
    "title": "subject",
    "topic": "subject",
    "until": "before",
}
"""What other programs call them."""


def about_unknown(field: str, text: str, known: Iterable[str]) -> str:
    """Return one sentence: that this is no field, the nearest that is one, and what was looked for."""
    near = _ELSEWHERE.get(field) or _nearest(field, known)
    hint = f"did you mean {near}:?" if near else f"fields are {', '.join(f'{name}:' for name in known)}"
    return f'{field}: is not a field ({hint}); searched as the words "{field}" and "{text}"'


def _nearest(field: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    return next(iter(get_close_matches(field, known, 1)), "")
