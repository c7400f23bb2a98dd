"""Messages read by a process with limits, which is started again whenever a message has been too much for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from threading import Thread
from typing import IO, Self

from migrator.errors import FerryError, Kind
from migrator.lazy_dataclasses import dataclass
from migrator.parse.content import Attachment
from migrator.parse.headers import Headers
from migrator.parse.layout import Layout
from migrator.parse.worker import ANSWER, ATTACHMENT, INDEX, LAYOUT, READY, REQUEST, SHOW
from migrator.ui.sanitize import line

LONGEST_ANSWER = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class IndexedText:
    """What the search index takes in: headers, and folded words in the order of its columns."""

    headers: Headers
    words: tuple[str, str, str, str, str, str, str]
    attachments: int


@dataclass(frozen=True, slots=True)
class ShownText:
    """A message's text and attachments, not yet made harmless for a terminal."""

    text: str
    attachments: tuple[Attachment, ...]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class NotParsed:
    """Why a message was not read."""

    reason: str


class Parser:
    """One parsing worker; use it in a ``with`` statement and from one thread."""

    def __init__(self, command: Sequence[str] = (sys.executable, "-P", "-m", "migrator.parse.worker")) -> None:
        """Start a worker by this command when the first message comes."""
        self._command = command
        self._worker: _Worker | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def index(self, messages: Sequence[bytes]) -> list[IndexedText | NotParsed]:
        """Return the words of each message, in order."""
        return [_as_indexed(answer) for answer in self._ask(INDEX, 0, messages)]

    def show(self, message: bytes) -> ShownText | NotParsed:
        """Return what a reader wants to see of a message."""
        return _as_shown(next(iter(self._ask(SHOW, 0, [message]))))

    def attachment(self, message: bytes, number: int) -> bytes | NotParsed:
        """Return the decoded bytes of an attachment, counted from 1 as ``show`` lists them."""
        return next(iter(self._ask(ATTACHMENT, number, [message])))

    def layout(self, message: bytes, *, loads_pictures: bool = False) -> Layout | NotParsed:
        """Return a message's HTML as its sender laid it out, without what acts or loads.

        With ``loads_pictures``, which is a person's choice, pictures of https servers stay.
        """
        return _as_layout(next(iter(self._ask(LAYOUT, int(loads_pictures), [message]))))

    def _ask(self, asked: int, number: int, messages: Sequence[bytes]) -> list[bytes | NotParsed]:
        """Return an answer for each message. Whatever the worker dies of is the fault of the one it was reading."""
        answers: list[bytes | NotParsed] = []
        while len(answers) < len(messages):
            self._worker = self._worker or _Worker(self._command)
            answers += self._worker.ask(asked, number, messages[len(answers) :])
            if len(answers) < len(messages):
                answers.append(NotParsed(self._worker.end()))
                self._worker = None
        return answers

    def close(self) -> None:
        """End the worker."""
        if self._worker:
            self._worker.dismiss()
            self._worker = None


class _Worker:
    """A running process and its pipes."""

    def __init__(self, command: Sequence[str]) -> None:
        path = os.pathsep.join(folder for folder in sys.path if folder)
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},  # and no secret of ours
            )
        except OSError as error:
            raise FerryError(Kind.INTERNAL, f"cannot start the parsing worker: {error.strerror}") from error
        if self._pipe(self._process.stdout).read(1) != READY:
            self.end()
            cure = "install mailferry again: a library is missing or broken"
            raise FerryError(Kind.INTERNAL, "the parsing worker does not start", cure=cure)

    def ask(self, asked: int, number: int, messages: Sequence[bytes]) -> list[bytes | NotParsed]:
        """Return the answers that came; fewer than messages if the worker died of one."""
        writer = Thread(target=self._write, args=(asked, number, messages), daemon=True)
        writer.start()
        answers: list[bytes | NotParsed] = []
        for _ in messages:
            answer = self._answer()
            if answer is None:
                return answers
            answers.append(answer)
        writer.join()
        return answers

    def _write(self, asked: int, number: int, messages: Sequence[bytes]) -> None:
        """Hand messages over; in a thread of its own, so that neither side waits for the other's pipe."""
        stdin = self._pipe(self._process.stdin)
        with suppress(OSError, ValueError):  # the worker died: the reader sees it too, and knows at which message
            for message in messages:
                stdin.write(REQUEST.pack(asked, number, len(message)))
                stdin.write(message)
            stdin.flush()

    def _answer(self) -> bytes | NotParsed | None:
        """Return the next answer, None when the worker has ended or makes no sense."""
        stdout = self._pipe(self._process.stdout)
        head = stdout.read(ANSWER.size)
        if len(head) < ANSWER.size:
            return None
        is_parsed, length = ANSWER.unpack(head)
        if length > LONGEST_ANSWER:
            return None
        content = stdout.read(length)
        if len(content) < length:
            return None
        return content if is_parsed else NotParsed(_reason(content))

    def dismiss(self) -> None:
        """Let a process go that has answered everything: it ends when there is nothing more to read."""
        with suppress(OSError):
            self._pipe(self._process.stdin).close()
        self.end()

    def end(self) -> str:
        """End the process if it does not end by itself at once, and say what it died of."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE)
        self._process.kill()
        died_of = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                self._pipe(pipe).close()
        return _DEATHS.get(died_of, "the parser ended unexpectedly")

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        if pipe is None:  # cannot be: all are pipes
            raise AssertionError
        return pipe


_GRACE = 2.0
_DEATHS = {
    -signal.SIGPROF: "reading it takes too long",
    -signal.SIGALRM: "reading it takes too long",
    -signal.SIGABRT: "reading it takes too much memory",
    -signal.SIGKILL: "reading it takes too much memory",
    -signal.SIGSEGV: "it crashes the parser",
}


def _as_indexed(answer: bytes | NotParsed) -> IndexedText | NotParsed:
    if isinstance(answer, NotParsed):
        return answer
    match _loaded(answer):
        case {
            "headers": dict(known),
            "words": [str(a), str(b), str(c), str(d), str(e), str(f), str(g)],
            "attachments": int(count),
        }:
            return IndexedText(_as_headers(known), (a, b, c, d, e, f, g), count)
        case _:
            return NotParsed(_NONSENSE)


def _as_headers(known: dict[str, object]) -> Headers:
    date = known.get("date")
    texts = {name: str(known.get(name, "")) for name in Headers.__slots__ if name != "date"}
    return Headers(date=date if isinstance(date, int) else None, **texts)


def _as_shown(answer: bytes | NotParsed) -> ShownText | NotParsed:
    if isinstance(answer, NotParsed):
        return answer
    match _loaded(answer):
        case {"text": str(text), "attachments": list(listed), "is_whole": bool(is_whole)}:
            attachments = tuple(Attachment(str(name), str(kind), int(octets)) for name, kind, octets in listed)
            return ShownText(text, attachments, is_whole)
        case _:
            return NotParsed(_NONSENSE)


def _as_layout(answer: bytes | NotParsed) -> Layout | NotParsed:
    if isinstance(answer, NotParsed):
        return answer
    match _loaded(answer):
        case {
            "html": str(html),
            "remote": int(remote),
            "hosts": list(hosts),
            "links": list(links),
            "is_whole": bool(is_whole),
        }:
            return Layout(html, remote, tuple(map(str, hosts)), tuple(map(str, links)), is_whole)
        case _:
            return NotParsed(_NONSENSE)


def _reason(answer: bytes) -> str:
    said = _loaded(answer)
    return line(said, limit=200) if isinstance(said, str) else _NONSENSE


_NONSENSE = "the parser's answer makes no sense"


def _loaded(answer: bytes) -> object:
    try:
        loaded: object = json.loads(answer)
    except ValueError:
        return None
    return loaded
