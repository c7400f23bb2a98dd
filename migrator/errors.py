"""Everything that can go wrong, by name.

One exception type has what a report, a retry policy and a person need: a stable ``kind`` (the contract's list),
the scope of the damage, the retry advice, the words of the server and the cure. Foreign exceptions are turned into
these at the seam where they appear, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, StrEnum
from typing import Any, Final, NamedTuple, Self
from unicodedata import category


class Kind(StrEnum):
    """The stable names of failures; they stand in JSON reports and never change."""

    CONNECT = "connect"
    TLS = "tls"
    AUTH = "auth"
    IN_USE = "in-use"
    LOGIN_DELAY = "login-delay"
    TEMPORARY = "temporary"
    REFUSED = "refused"
    PROTOCOL = "protocol"
    TIMEOUT = "timeout"
    TOO_LARGE = "too-large"
    SHORT = "short"
    CHANGED = "changed"
    AMBIGUOUS = "ambiguous"
    MISMATCH = "mismatch"
    UNPROVEN = "unproven"
    QUOTA = "quota"
    DISK_FULL = "disk-full"
    ARCHIVE = "archive"
    LOCKED = "locked"
    INTERNAL = "internal"


class Scope(Enum):
    """How far a failure reaches: what else must stop because of it."""

    MESSAGE = "message"
    SESSION = "session"
    ACCOUNT = "account"
    SERVICE = "service"


class Advice(Enum):
    """When trying again can help."""

    NOW = "now"
    LATER = "later"
    NEVER = "never"


_USUAL: dict[Kind, tuple[Scope, Advice]] = {
    Kind.CONNECT: (Scope.SESSION, Advice.NOW),
    Kind.TLS: (Scope.ACCOUNT, Advice.NEVER),
    Kind.AUTH: (Scope.ACCOUNT, Advice.NEVER),
    Kind.IN_USE: (Scope.ACCOUNT, Advice.LATER),
    Kind.LOGIN_DELAY: (Scope.ACCOUNT, Advice.LATER),
    Kind.TEMPORARY: (Scope.ACCOUNT, Advice.LATER),
    Kind.REFUSED: (Scope.MESSAGE, Advice.LATER),
    Kind.PROTOCOL: (Scope.SESSION, Advice.NOW),
    Kind.TIMEOUT: (Scope.SESSION, Advice.NOW),
    Kind.TOO_LARGE: (Scope.MESSAGE, Advice.NEVER),
    Kind.SHORT: (Scope.MESSAGE, Advice.LATER),
    Kind.CHANGED: (Scope.MESSAGE, Advice.LATER),
    Kind.AMBIGUOUS: (Scope.MESSAGE, Advice.NEVER),
    Kind.MISMATCH: (Scope.MESSAGE, Advice.LATER),
    Kind.UNPROVEN: (Scope.MESSAGE, Advice.NEVER),
    Kind.QUOTA: (Scope.ACCOUNT, Advice.LATER),
    Kind.DISK_FULL: (Scope.ACCOUNT, Advice.LATER),
    Kind.ARCHIVE: (Scope.ACCOUNT, Advice.NEVER),
    Kind.LOCKED: (Scope.ACCOUNT, Advice.LATER),
    Kind.INTERNAL: (Scope.SERVICE, Advice.NEVER),
}


LOCAL = frozenset({Kind.LOCKED, Kind.DISK_FULL, Kind.ARCHIVE, Kind.INTERNAL})
"""Failures of this machine: no server is at fault, and perhaps none was asked."""

LOCAL_FINDINGS = frozenset({"secret-missing"})
"""The same, where the kind alone does not tell."""


class Endpoint(NamedTuple):
    """A server as it is known by everywhere: hosts have no case."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host.lower()}:{self.port}"


class Correction(NamedTuple):
    """A key to write into the table of the end that failed (a source, or a destination); without value: to take out."""

    key: str
    value: str | bool | None


class FerryError(Exception):
    """A failure of one message, session, account or of the service.

    ``message`` says in plain words what happened. ``server_words`` are the server's own, already cleaned of control
    characters and secrets. ``cure`` says what a person can do, or is empty. ``wait`` is how many seconds the other
    end asked to be left alone, where it said so. ``scope`` and ``advice`` default to what is usual for the kind.
    ``endpoint`` is the server at fault, None where none is; the seams set it (``blame``). ``finding`` is the id of the
    finding that a person gets of it (``migrator.findings``), where the seam knows more than the kind tells.
    ``settings`` are what cures it, all of them, where that is a matter of the configuration.
    """

    def __init__(  # noqa: PLR0913  # keywords, each of which has a default
        self,
        kind: Kind,
        message: str,
        *,
        server_words: str = "",
        cure: str = "",
        scope: Scope | None = None,
        advice: Advice | None = None,
        wait: float | None = None,
        endpoint: Endpoint | None = None,
        finding: str = "",
        settings: tuple[Correction, ...] = (),
    ) -> None:
        message, cure = legible_lines(message), legible_lines(cure)
        super().__init__(message)
        usual_scope, usual_advice = _USUAL[kind]
        self.kind = kind
        self.message = message
        self.server_words = server_words
        self.cure = cure
        self.scope = scope or usual_scope
        self.advice = advice or usual_advice
        self.wait = wait
        self.endpoint = endpoint
        self.finding = finding
        self.settings = settings

    def blame(self, endpoint: Endpoint | None) -> Self:
        """Name the server at fault, unless one is named already or the failure is of this machine."""
        if self.endpoint is None and self.kind not in LOCAL and self.finding not in LOCAL_FINDINGS:
            self.endpoint = endpoint
        return self

    def __reduce__(self) -> tuple[Callable[[dict[str, Any]], FerryError], tuple[dict[str, Any]]]:
        """Travel between processes with all that is known; a subclass arrives as a plain one."""
        return _arrived, (vars(self),)

    def __str__(self) -> str:
        """Say it in one line: what happened, the server's words, the cure. A message of several lines gets one more."""
        words = f' (the server said: "{self.server_words}")' if self.server_words else ""
        between = LINE_OF_A_MESSAGE if LINE_OF_A_MESSAGE in self.message else "; "
        cure = f"{between}{self.cure}" if self.cure else ""
        return f"{self.message}{words}{cure}"


class GoneError(FerryError):
    """A copy that was stored is not there any more, in a destination that is well: somebody moved or deleted it."""

    def __init__(self, message: str, *, cure: str = "") -> None:
        super().__init__(Kind.MISMATCH, message, cure=cure)


class StoppedError(FerryError):
    """A person or the system wants an end, and the other end was silent: what was under way is left as it stands."""

    def __init__(self) -> None:
        words = "the run was to end, and the server was silent"
        super().__init__(Kind.TEMPORARY, words, scope=Scope.ACCOUNT, advice=Advice.NOW)


class AwayError(FerryError):
    """An archive folder is not there at all, or nothing is that is known to stand in it: as if its disk was missing."""

    def __init__(self, message: str, *, cure: str = "") -> None:
        super().__init__(Kind.ARCHIVE, message, cure=cure, advice=Advice.LATER, finding="archive-missing")


def _arrived(facts: dict[str, Any]) -> FerryError:
    return FerryError(**facts)


class DefectError(FerryError):
    """An exception that no seam has mapped: a defect of ours, which is the ``defect`` itself."""

    def __init__(self, defect: Exception) -> None:
        words = f"{type(defect).__name__}: {defect}"
        super().__init__(Kind.INTERNAL, words, cure="please report this")
        self.defect = defect

    def __reduce__(self) -> tuple[Callable[[dict[str, Any]], FerryError], tuple[dict[str, Any]]]:
        """Travel as a plain error: nobody knows whether the defect itself can."""
        return _arrived, ({name: value for name, value in vars(self).items() if name != "defect"},)


@contextmanager
def contained() -> Iterator[None]:
    """Let nothing out but ``FerryError`` and what ends the program; a defect of ours comes out as ``DefectError``.

    The one place that catches everything: around a command, around an account's run, and around what a thread of the
    worker does with one.
    """
    try:
        yield
    except FerryError:
        raise
    except Exception as error:
        raise DefectError(error) from error


_STEERS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


LINE_OF_A_MESSAGE = "\n    "
"""What begins each line but the first of a message that has several."""


def legible(text: str) -> str:
    """Return text from outside as one line that steers no terminal and no log.

    What ends a line, moves a cursor or turns the direction of writing is written out as ``\\xNN`` or ``\\uNNNN``.
    """
    return _STEERS.sub(lambda found: _written_out(ord(found[0])), text)


def _written_out(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def legible_lines(text: str) -> str:
    """Return a text made ``legible`` but for line feeds before four blanks, as our own messages have them.

    So what somebody else has put into it begins no line that could be taken for one of ours.
    """
    return LINE_OF_A_MESSAGE.join(map(legible, text.split(LINE_OF_A_MESSAGE)))


class ConfigError(Exception):
    """The configuration or the command line is wrong; nothing was touched (exit code 2).

    Each problem is one line that names file, table, key, what is wrong with the value and the nearest known key.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def printable(words: bytes, *, secrets: tuple[bytes, ...] = (), limit: int = 300) -> str:
    """Turn a server's words into one safe line: no control characters, no secret, at most ``limit`` characters.

    Words in UTF-8 are shown as text (RFC 6856, section 2.1); what controls a terminal or turns the direction of text
    is escaped, and so is every byte that belongs to no text (``decoded``). Every secret (and nothing else) becomes
    ``***``, so that a server that echoes a password does not put it into a report.
    """
    text = "".join(map(_safe, decoded(without_secrets(words, secrets))[: limit + 1]))
    return text[:limit] + "…" if len(text) > limit else text


def without_secrets(words: bytes, secrets: tuple[bytes, ...]) -> bytes:
    """Return a server's words with ``***`` in place of every secret."""
    for secret in secrets:
        if secret:
            words = words.replace(secret, b"***")
    return words


_GBK_WORDS: Final = (
    *("登录", "密码", "用户", "帐号", "账号", "帐户", "账户", "授权", "错误", "失败", "频繁", "频率", "限制", "系统"),
    *("繁忙", "邮箱", "邮件", "服务", "稍后", "锁定", "超过", "客户端"),
)
"""What QQ and Sina say in GBK at a log-in: log-in, password, user, wrong, failed, too often, limited, busy, later."""


def decoded(words: bytes) -> str:
    """Return a server's words as text, whole; bytes that are none become ``\\xNN``.

    UTF-8 is taken where the words are that. GBK is taken only where they then say something that such servers do say:
    text in other old charsets would pass for Chinese, too.
    """
    try:
        return words.decode()
    except UnicodeDecodeError:
        pass
    try:
        text = words.decode("gbk")
    except UnicodeDecodeError:
        text = ""
    if any(word in text for word in _GBK_WORDS):
        return text
    return words.decode("ascii", "backslashreplace")


def _safe(character: str) -> str:
    """Return a character as it may be shown: itself, a space, or its number."""
    if character.isprintable():
        return character
    return " " if category(character) == "Zs" else _written_out(ord(character))
