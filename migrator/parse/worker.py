"""The parsing worker: a process with limits that reads messages on stdin and answers what they say on stdout.

Started as ``python -m migrator.parse.worker``, only by ``migrator.parse.process``. It may crash, be killed by its
limits, or be taken over by a hostile message: it holds no file, no connection and no secret, and its answers are JSON,
judged by the parent. A request is ``!BIQ`` (what is asked, a number, the length) and the message; an answer is ``!BQ``
(whether it was parsed, the length) and JSON, or the attachment's bytes. The first byte of all says that it is ready.
"""

from __future__ import annotations

import importlib
import json
import resource
import signal
import struct
import sys
from typing import BinaryIO

from migrator.lazy_dataclasses import asdict
from migrator.parse.headers import header_words

REQUEST = struct.Struct("!BIQ")
ANSWER = struct.Struct("!BQ")

INDEX, SHOW, ATTACHMENT, LAYOUT = 0, 1, 2, 3

READY = b"R"

MEMORY_LIMIT = 1536 * 1024 * 1024
"""Address space, of which the interpreter and its libraries reserve a third without using it."""
CPU_SECONDS = 10.0
WALL_SECONDS = 60.0


def main() -> None:
    """Answer requests until stdin ends; says first that everything needed is there."""
    _limit()
    _prepare()
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    while (head := sys.stdin.buffer.read(REQUEST.size)) and len(head) == REQUEST.size:
        asked, number, length = REQUEST.unpack(head)
        message = sys.stdin.buffer.read(length)
        # The default action of both signals ends the process, whatever code it is in.
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        signal.setitimer(signal.ITIMER_REAL, WALL_SECONDS)
        is_parsed, answer = _answer(asked, number, message)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _send(sys.stdout.buffer, is_parsed, answer)


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it has nothing to write to any file
    # The parent ends it by closing stdin. A signal to the whole group must not look like a message's doing.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _prepare() -> None:
    """Load what messages need before there is one to be blamed for its absence."""
    for module in ("chardet", "fast_mail_parser", "resiliparse.extract.html2text", "migrator.parse.content"):
        importlib.import_module(module)


def _answer(asked: int, number: int, message: bytes) -> tuple[bool, bytes]:
    from migrator.parse.content import NotParsedError

    try:
        if asked == ATTACHMENT:
            return True, _attachment(message, number)
        return True, json.dumps(_read(asked, number, message)).encode("ascii")
    except (NotParsedError, RecursionError, MemoryError) as error:
        return False, json.dumps(str(error) or type(error).__name__).encode("ascii")


def _read(asked: int, number: int, message: bytes) -> dict[str, object]:
    if asked == INDEX:
        return _indexed(message)
    return _laid_out(message, loads_pictures=bool(number)) if asked == LAYOUT else _shown(message)


def _attachment(message: bytes, number: int) -> bytes:
    from migrator.parse.content import NotParsedError, leaves

    attached = [leaf for leaf in leaves(message) if not leaf.is_text]
    if not 0 < number <= len(attached):
        count = {0: "no attachment", 1: "1 attachment"}.get(len(attached), f"{len(attached)} attachments")
        raise NotParsedError(f"it has {count}")
    return attached[number - 1].content


def _indexed(message: bytes) -> dict[str, object]:
    """Return what the search index wants; the words in the order of its columns, folded."""
    from migrator.parse.content import read
    from migrator.parse.folding import folded

    mail = read(message)
    names = "\n".join(attachment.name for attachment in mail.attachments)
    body = "\n".join([*mail.texts, *mail.html, *mail.inner])
    return {
        "headers": asdict(mail.headers),
        "words": [*map(folded, (*header_words(mail.headers), names, body))],
        "attachments": len(mail.attachments),
    }


def _shown(message: bytes) -> dict[str, object]:
    from migrator.parse.content import read

    mail = read(message)
    return {
        "text": mail.text,
        "attachments": [[one.name, one.content_type, one.octets] for one in mail.attachments],
        "is_whole": mail.is_whole,
    }


def _laid_out(message: bytes, *, loads_pictures: bool) -> dict[str, object]:
    from migrator.parse.content import NotParsedError, leaves
    from migrator.parse.layout import NotCleanedError, laid_out

    try:
        return asdict(laid_out(leaves(message), loads_pictures=loads_pictures))
    except NotCleanedError as error:
        raise NotParsedError(str(error)) from error
    except ImportError as error:  # it comes with the page
        raise NotParsedError("mailferry[web] is not installed") from error


def _send(stdout: BinaryIO, is_parsed: bool, answer: bytes) -> None:  # noqa: FBT001  # the answer's first field
    stdout.write(ANSWER.pack(is_parsed, len(answer)))
    stdout.write(answer)
    stdout.flush()


if __name__ == "__main__":
    main()
