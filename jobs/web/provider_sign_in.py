"""A sign-in at a provider of access tokens, which goes on in a thread while a person does what the page says.

Tokens and pasted addresses are in no page, log or audit. What the provider gave is tried at the mailbox before it is
kept (``migrator.operations.sign_in``). It is given up after a quarter of an hour.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

from migrator.errors import ConfigError, FerryError, Kind, contained
from migrator.lazy_dataclasses import dataclass
from migrator.oauth.flows import Effects, Method
from migrator.oauth.provider import Provider
from migrator.operations.sign_in import ToSignIn, sign_in

LONGEST = 900.0
"""Seconds that a person may take."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the person is to do: open a link, and type a code in there or paste the address that the browser ends at.

    Nothing while the provider is asked. ``note`` says what was wrong with the last answer.
    """

    link: str = ""
    code: str = ""
    note: str = ""

    @property
    def wants_answer(self) -> bool:
        """Whether an address is to be pasted."""
        return bool(self.link) and not self.code


def way_of(provider: Provider) -> Method:
    """Return how somebody signs in there who has only this page: by a code, where the provider has such."""
    has_codes = provider.endpoints is not None and bool(provider.endpoints.device)
    return Method.DEVICE if has_codes else Method.PASTE


class ProviderSignIn:
    """The sign-ins that one account needs, in turn. ``start`` it once; the rest may be called from any thread."""

    def __init__(self, wanted: Sequence[ToSignIn], when_done: Callable[[], None] = lambda: None) -> None:
        """Sign in for these; ``when_done`` is called once all of it is kept, whether or not anybody still looks."""
        self._wanted = wanted
        self._when_done = when_done
        self._answers: queue.Queue[str] = queue.Queue()
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sign-in", daemon=True)
        self.label = ", ".join(one.label for one in wanted)
        self.told = Told()
        self._link = ""
        self.problem = ""
        self.is_done = False

    def start(self) -> None:
        """Ask the provider."""
        self._thread.start()

    def answer(self, address: str) -> None:
        """Take the address that the person's browser ended at."""
        self.told = Told()  # until the provider has been asked
        self._answers.put(address)

    def give_up(self) -> None:
        """End it; nothing is kept then."""
        self._given_up.set()
        self._answers.put("")

    def wait(self, seconds: float) -> None:
        """Wait until there is something to show: at most so long."""
        waiting = threading.Event()
        for _ in range(round(seconds * 20)):
            if self.told.link or self.problem or self.is_done or waiting.wait(0.05):
                return

    def _run(self) -> None:
        effects = Effects(sleep=self._sleep)
        try:
            with contained():
                for one in self._wanted:
                    sign_in(one, way_of(one.secret.provider), self, effects=effects)
        except ConfigError as error:
            self.problem = " ".join(error.problems)
        except FerryError as error:
            self.problem = ". ".join(filter(None, (error.message, error.server_words, error.cure)))
        else:
            self.is_done = True
            self._when_done()

    def _sleep(self, seconds: float) -> None:
        if self._given_up.wait(seconds):
            raise FerryError(Kind.AUTH, "the sign-in was given up")

    def open_link(self, url: str) -> None:
        """Show a link; nobody sits at this machine."""
        self.show_link(url)

    def show_link(self, url: str) -> None:
        """Show a link that is opened in the person's browser."""
        self._link = url
        self.told = Told(url)

    def pasted(self) -> str:
        """Wait for the address that the browser ended at."""
        try:
            answer = self._answers.get(timeout=LONGEST)
        except queue.Empty:
            raise FerryError(Kind.AUTH, f"nobody signed in within {LONGEST / 60:.0f} minutes") from None
        if self._given_up.is_set():
            raise FerryError(Kind.AUTH, "the sign-in was given up")
        return answer

    def show_code(self, code: str, where: str) -> None:
        """Show what to type in, and where."""
        self.told = Told(where, code)

    def note(self, text: str) -> None:
        """Say what was wrong with the answer; the link may be used once more."""
        self.told = Told(self._link, note=text)
