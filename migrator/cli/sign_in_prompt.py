"""Signing in at a terminal: which way, and how link, code and answer are shown and asked for."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

from migrator.cli import questions
from migrator.config.no_dumps import forbid_dumps
from migrator.errors import ConfigError
from migrator.operations.sign_in import ToSignIn, sign_in, still_to_sign_in
from migrator.ui.text import plain

if TYPE_CHECKING:
    from migrator.config import Account
    from migrator.oauth.flows import Method
    from migrator.ui.console import Console


def method_of(written: str | None) -> Method:
    """Return the way that was named, else a browser on this machine where there is one, else a pasted address.

    Raises ``ConfigError`` where there is no terminal to paste it into.
    """
    from migrator.oauth.flows import Method

    method = Method(written) if written else Method.BROWSER if _has_browser() else Method.PASTE
    if method is Method.PASTE and not sys.stdin.isatty():
        how = "--method device, which needs no terminal" if written else "--method browser or --method device"
        raise ConfigError([f"--method paste: there is no terminal to paste the address into; use {how}"])
    return method


def _has_browser() -> bool:
    """Say whether a browser opened here would be seen by who sits at the terminal."""
    if os.environ.get("SSH_CONNECTION"):
        return False
    has_display = sys.platform in {"darwin", "win32"} or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    if not (has_display or os.environ.get("BROWSER")):
        return False
    import webbrowser

    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def sign_in_at_terminal(wanted: ToSignIn, method: Method, screen: Console) -> None:
    """Have the person at the terminal sign in; it is kept on return. Raises ``FerryError``."""
    screen.note(plain(f"Signing in as {wanted.label}."))
    done = sign_in(wanted, method, Terminal(screen))
    say = screen.note if screen.is_json else screen.result
    for mailbox in done.tried:
        say(plain(f"signed in: {mailbox} accepts it"))
    for error in done.untried:
        say(plain(f"signed in; the mailbox could not be asked whether it accepts it: {error}"))


def sign_in_where_needed(account: Account, screen: Console) -> None:
    """Have the person at the terminal sign in where the account needs it and nobody has."""
    wanted = still_to_sign_in(account)
    if wanted:
        method = method_of(None)
        forbid_dumps()
        for one in wanted:
            sign_in_at_terminal(one, method, screen)


class Terminal:
    """The person at the terminal."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen

    def open_link(self, url: str) -> None:
        """Show a link, and open it in a browser on this machine."""
        self._screen.problem("Open this link in a browser on this machine, if it does not open by itself:")
        self._screen.problem(url)
        if _has_browser():
            import webbrowser

            # Some browsers run until they are closed, and this process is to answer them.
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    def show_link(self, url: str) -> None:
        """Show a link that is opened elsewhere."""
        self._screen.problem("Open this link in any browser and sign in there:")
        self._screen.problem(url)
        self._screen.problem("The browser then ends at a page that it cannot show. Copy its address, all of it.")

    def pasted(self) -> str:
        """Ask for the address that the browser ended at; it is not shown."""
        return questions.hidden("Paste the address here (it is not shown):")

    def show_code(self, code: str, where: str) -> None:
        """Show what to type in, and where."""
        self._screen.problem(f"On any device, open {where} and type in the code {code}")

    def note(self, text: str) -> None:
        """Say something."""
        self._screen.problem(text)
