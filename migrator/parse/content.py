"""What a message says: its text and its attachments, read for people and for the search index.

Mail is hostile. This module bounds what can be bounded (header bytes, parts, text); that it may still crash, hang or
eat memory is why it runs only in ``migrator.parse.worker``. The structure is parsed by fast-mail-parser, which
refuses depth and is thirty times as fast as the standard library; that one stands in where a transfer encoding is
broken, which it forgives. Nothing here is ever written back: the archive holds the bytes as they came.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from migrator.lazy_dataclasses import dataclass, field
from migrator.parse.charsets import decode
from migrator.parse.headers import BLOCK_LIMIT, Headers, decoded, fields, header_block, headers

if TYPE_CHECKING:
    from fast_mail_parser import PyLazyMimePart

MOST_PARTS = 2_000
TEXT_LIMIT = 1024 * 1024
NAMES_LIMIT = 500
_SHORT_TEXT = 40
_CHARSET = re.compile(r";\s*charset\*?\s*=\s*(?:[\w-]*'[\w-]*')?\"?'?([\w.:+-]{1,40})", re.I)
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w.:-]{1,40})", re.I)


class NotParsedError(ValueError):
    """A message is deeper, longer or more broken than is looked into."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part without parts. ``name`` is as the message has it: sanitise it before use. ``content`` is decoded."""

    content_type: str
    charset: str
    name: str
    is_attached: bool
    content: bytes
    content_id: str = ""

    @property
    def is_text(self) -> bool:
        """Whether it is part of what a reader sees as the message's text."""
        return self.content_type.startswith("text/") and not self.is_attached

    def as_text(self) -> str:
        """Return what a reader sees of it."""
        if self.content_type == "text/html":
            return from_html(decode(self.content, self.html_charset))
        return decode(self.content, self.charset)

    @property
    def html_charset(self) -> str:
        """The charset of a part that is HTML: what its header says, else what it says itself."""
        return self.charset or _html_charset(self.content)


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attachment, named but not given; ``octets`` is its decoded size."""

    name: str
    content_type: str
    octets: int


@dataclass(slots=True)
class Mail:
    """A message as read. ``inner`` are headers of messages inside it; ``is_whole`` is false where limits cut it."""

    headers: Headers
    texts: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    inner: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    is_whole: bool = True

    @property
    def text(self) -> str:
        """The text for a reader: what was written as plain text, unless that says next to nothing."""
        plain = "\n\n".join(text for text in self.texts if text.strip())
        html = "\n\n".join(text for text in self.html if text.strip())
        return "\n\n".join(filter(None, (plain, html))) if len(plain.strip()) < _SHORT_TEXT else plain


def read(message: bytes) -> Mail:
    """Parse a message. Raises ``NotParsedError``; hostile input may do worse, see above."""
    mail = Mail(headers(message))
    room = TEXT_LIMIT
    for leaf in leaves(message, inner=mail.inner):
        if len(mail.attachments) < NAMES_LIMIT and not leaf.is_text:
            mail.attachments.append(Attachment(leaf.name, leaf.content_type, len(leaf.content)))
        if not leaf.content_type.startswith("text/"):
            continue
        if room <= 0:
            mail.is_whole = False
            continue
        text = leaf.as_text()[:room]
        room -= len(text)
        if leaf.is_text:
            (mail.html if leaf.content_type == "text/html" else mail.texts).append(text)
    return mail


def leaves(message: bytes, *, inner: list[str] | None = None) -> Iterator[Leaf]:
    """Yield the parts without parts, in order; the subjects and senders of messages inside are added to ``inner``."""
    import fast_mail_parser

    inner = [] if inner is None else inner
    message = _with_bounded_headers(message)
    try:
        tree = fast_mail_parser.parse_email_tree(message, mode="lazy")
        parts = [part for _, part in zip(range(MOST_PARTS + 1), fast_mail_parser.walk(tree), strict=False)]
        if len(parts) > MOST_PARTS:
            raise NotParsedError(f"it has more than {MOST_PARTS} parts")
        inner += [words for part in parts for words in _inner_words(part)]
        yield from [leaf for part in parts if (leaf := _leaf(part))]
    except fast_mail_parser.MimeStructureError as error:
        raise NotParsedError("its parts are nested too deeply, or it is too large") from error
    except fast_mail_parser.ParseError:
        yield from _forgiving_leaves(message)


def _leaf(part: PyLazyMimePart) -> Leaf | None:
    """Return the part as a leaf, None for a container; a message inside is a leaf as well as its parts are."""
    content = part.content
    if content is None:
        return None
    declared = next(iter(_values(part, "content-type")), "")
    is_attached = part.is_message or part.disposition == "attachment" or not part.content_type.startswith("text/")
    return Leaf(
        content_type=part.content_type.lower() or "text/plain",
        charset=_charset(declared),
        name=part.filename,
        is_attached=is_attached or bool(part.filename),
        content=content,
        content_id=next(iter(_values(part, "content-id")), ""),
    )


def _inner_words(part: PyLazyMimePart) -> list[str]:
    """Return what names a message inside a message."""
    if not part.is_message or not part.children:
        return []
    return [value for name in ("subject", "from", "to") for value in _values(part.children[0], name)]


def _values(part: PyLazyMimePart, name: str) -> list[str]:
    return [value for key, values in part.headers.items() if key.lower() == name for value in values]


def _forgiving_leaves(message: bytes) -> Iterator[Leaf]:
    """Do the same by the standard library, which takes broken transfer encodings as they are."""
    from email import message_from_bytes

    try:
        parts = [part for _, part in zip(range(MOST_PARTS), message_from_bytes(message).walk(), strict=False)]
    except (RecursionError, ValueError, LookupError) as error:
        raise NotParsedError("its structure is broken") from error
    for part in parts:
        content = part.get_payload(decode=True) if not part.is_multipart() else None
        if not isinstance(content, bytes):
            continue
        content_type, name = part.get_content_type(), part.get_filename() or ""
        is_attached = part.get_content_disposition() == "attachment" or not content_type.startswith("text/")
        charset = str(part.get_param("charset", ""))
        yield Leaf(
            content_type,
            charset,
            decoded(name.encode("utf-8", "replace")),
            is_attached or bool(name),
            content,
            str(part.get("Content-ID", "")),
        )


def _charset(content_type: str) -> str:
    found = _CHARSET.search(content_type[:2_000])
    return found[1] if found else ""


def _html_charset(content: bytes) -> str:
    """Return the charset that HTML declares in itself, for parts whose header does not."""
    found = _META_CHARSET.search(content[:2_048])
    return found[1].decode("ascii") if found else ""


def from_html(source: str) -> str:
    """Return what a reader sees of HTML, in lines."""
    from resiliparse.extract.html2text import extract_plain_text

    return extract_plain_text(source, preserve_formatting=True, alt_texts=False)


def _with_bounded_headers(message: bytes) -> bytes:
    """Cut a header block that is longer than any honest one: decoding its words takes time by the square of it."""
    message = message.removeprefix(b"\xef\xbb\xbf")  # it would hide the first field
    block = header_block(message)
    if len(block) < BLOCK_LIMIT // 2:
        return message
    kept = [(name, value) for name, value in fields(message) if name in (b"content-type", b"content-transfer-encoding")]
    end = message.find(b"\r\n\r\n")
    body = message[end + 4 :] if end >= 0 else b""
    return b"".join(b"%b: %b\r\n" % pair for pair in kept) + b"\r\n" + body
