"""What commands that search say of the index: how far it is, and what it lacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from migrator.cli.context import every
from migrator.ui.text import plain, plural

if TYPE_CHECKING:
    from migrator.operations.search import IndexState
    from migrator.ui.console import Console

_STEP = 5_000


def indexing(screen: Console, step: int = _STEP) -> Callable[[int], None]:
    """Return a listener that says now and then how many messages were indexed."""
    return every(step, lambda count: screen.note(f"{plural(count, 'message')} indexed so far"))


def rebuilding(screen: Console, step: int = _STEP) -> Callable[[int], None]:
    """Return a listener that says why an index is built again, where that takes a while."""

    def listen(messages: int) -> None:
        if messages >= step:
            screen.note(f"the search index is of another version: it is built again, {plural(messages, 'message')}")

    return listen


def show_remarks(written: str | None, screen: Console) -> None:
    """Say how a query was understood, where it can be doubted that it was meant so."""
    from migrator.operations.search import remarks_on

    for remark in remarks_on(written) if written else ():
        screen.problem(plain(remark))


def show_index_state(state: IndexState, screen: Console) -> None:
    """Say what cannot be found, and why."""
    if state.error is not None:
        screen.problem(f"the search index could not be brought up to date: {state.error}")
    if state.is_busy:
        screen.note("another mailferry is indexing now: the newest messages may be missing")
    show_unread(state.unread, screen)


def show_unread(unread: Mapping[str, int], screen: Console) -> None:
    """Say how many messages could not be indexed, reason by reason."""
    for reason, count in unread.items():
        screen.note(f"{plural(count, 'message')} cannot be searched yet: {reason}")
