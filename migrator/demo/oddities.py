"""Mail that is not as the standards want it, in every form that real maildrops hold: bytes, lines and headers.

Each is in canonical form all the same: what POP3 can give (lines that end in CRLF), or nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from migrator.demo.attachments import png
from migrator.demo.composing import (
    Headers,
    attachment,
    block,
    crlf,
    date,
    letter,
    message_id,
    multipart,
    text,
    trace,
)

Labelled = tuple[str, bytes]

FIRST_NUMBER = 900_000
"""The numbers of odd letters begin here, so that they share no Message-ID with ordinary ones."""


def oddities(seed: int) -> Iterator[Labelled]:
    """Yield every odd form once, those that come in pairs one after the other."""
    yield from _bare()
    yield from _bytes_and_line_ends()
    yield from _from_lines_and_dots()
    yield from _headers()
    yield from _dates()
    yield from _near_twins()
    yield from _charsets()
    yield _big(Random(f"{seed}/big"))


def odd(number: int, subject: str | bytes, body: bytes, *more: tuple[str, str | bytes]) -> bytes:
    """Return a letter with usual headers; ``body`` is written as it is."""
    return block([*usual(number, subject), *more]) + b"\r\n" + body


def usual(number: int, subject: str | bytes) -> Headers:
    """Return the headers that nearly every letter has."""
    number += FIRST_NUMBER
    return [
        *trace(number),
        ("From", "Grace Miller <office@example.org>"),
        ("To", "Everyone in the office <office@example.net>"),
        ("Subject", subject),
        ("Date", date(number - FIRST_NUMBER)),
        ("Message-ID", message_id(number)),
    ]


def _bare() -> Iterator[Labelled]:
    yield "nothing at all", b""
    yield "one empty line", b"\r\n"
    yield "no header", b"\r\nThe bread is in the oven. Back at noon!\r\n"
    yield "no header, no empty line", b"Please call the baker.\r\nHe asked for the number of guests.\r\n"
    yield "header only", block(usual(1, "Nothing more to say"))
    yield "header, empty line, no body", odd(2, "See subject", b"")
    yield "body follows the header at once", block(usual(3, "Hurry")) + b"No colon here\r\nnor here\r\n"
    yield "empty lines only", odd(4, "A quiet one", b"\r\n" * 12)
    yield "spaces and tabs at line ends", odd(5, "Neat rows", b"bread \r\n  butter\t\r\n \r\n\t\r\njam   \r\n")


def _bytes_and_line_ends() -> Iterator[Labelled]:
    yield "bare CR", odd(10, "Old printer", b"one\rtwo\rthree\r\nfour\r\n")
    yield "CR CR LF", odd(11, "Twice converted", b"first\r\r\nsecond\r\r\n\r\r\nlast\r\r\n")
    yield "CR at the very end", odd(12, "Carriage", b"back to the start\r\r\n")
    yield "NUL in the body", odd(13, "Zeros", b"before\0after\r\n\0\0\0\r\n")
    yield "NUL in a header", odd(14, b"Guests\0 list", b"Twelve of us.\r\n")
    yield "every byte but line ends", odd(15, "All of them", bytes(set(range(256)) - {10, 13}) + b"\r\n")
    yield "form feed, vertical tab, NEL", odd(16, "Pages", b"page one\x0cpage two\x0bline\x85line\r\n")
    yield "Unicode's line separators", odd(17, "Poem", crlf("roses\u2028violets\u2029sugar\u0085you\n"))
    yield "a line of 300 kB", odd(18, "One long line", b"marmalade and " * 22_000 + b"bread\r\n")
    yield "a subject of 5 kB", odd(19, b"very " * 1_000 + b"important", b"Cake at three.\r\n")
    guests = ", ".join(f"guest{number}@example.com" for number in range(1_000))
    yield "a header of 20 kB in one line", odd(20, "Many guests", b"All welcome.\r\n", ("Cc", guests))
    yield "lines longer than 998", odd(21, "Wide table", b"".join(b"%d;" % n * 400 + b"\r\n" for n in range(5)))


def _from_lines_and_dots() -> Iterator[Labelled]:
    quoted = b"From here on it is easy:\r\n>From the oven to the table.\r\n>>From us\r\n>>>>>>From all of us\r\n"
    yield "From_ lines at several depths", odd(30, "From all of us", quoted + b"> From a quote\r\n From inside\r\n")
    envelope = b"From office@example.org Mon Jan  9 07:30:00 2023\r\n"
    yield "a From_ line at the start", envelope + odd(31, "Taken from an mbox", b"Jam\r\n")
    yield "a quoted From_ line at the start", b">" + envelope + odd(32, "Taken from it twice", b"Jam\r\n")
    yield "From_ lines only", b"From \r\n>From \r\nFrom \r\n"
    yield "an mbox inside", odd(33, "Old mail", (b"\r\n" + envelope + b"Subject: Jam\r\n\r\n\r\n") * 3)
    yield "almost From_ lines", odd(34, "Nearly", b"From\r\nFrom\tthe\r\nfrom here\r\nFROM there\r\n>from\r\n")
    yield "leading dots", odd(35, "Dots", b".\r\n..\r\n...\r\n.hidden\r\n. space\r\n\r\n.\r\n")
    yield "a dot at the very start", b".signature: none\r\n" + odd(36, "Dot first", b"..\r\n")
    yield "one dot", b".\r\n"
    yield "ends in a lone dot", odd(37, "The end", b"That is all\r\n.\r\n")


def _headers() -> Iterator[Labelled]:
    yield "UTF-8 in headers", odd(40, "Frühstück für alle".encode(), crlf("Süße Brötchen!\n"))
    yield "Latin-1 in headers", odd(41, "Réunion de la rentrée".encode("latin-1"), crlf("À bientôt\n", "latin-1"))
    yield "KOI8-R in headers", odd(42, "Чай в четверг".encode("koi8-r"), crlf("Приходите!\n", "koi8-r"))
    yield "no Message-ID", block(usual(43, "Anonymous")[:-1]) + b"\r\nGuess who brought the flowers.\r\n"
    yield "empty Message-ID", block([*usual(44, "Nameless")[:-1], ("Message-ID", "")]) + b"\r\nMe again.\r\n"
    overlong = ("Message-ID", f"<{'x' * 3000}@example.org>")
    yield "an overlong Message-ID", block([*usual(45, "Long name")[:-1], overlong]) + b"\r\nHello.\r\n"
    yield "two subjects, two dates", odd(46, "First", b"Which one?\r\n", ("Subject", "Second"), ("Date", date(7)))
    yield "odd folding", block(usual(47, "one\n\ttwo\n   three\n \n four")) + b"\r\nFolded like a napkin.\r\n"
    yield "a space before the colon", odd(48, "Space", b"Fine.\r\n", ("X-Mood ", "good"), ("x-lower", "yes"))
    yield "broken encoded words", odd(49, "=?utf-8?Q?caf=C3?= =?nowhere?B?!!!?= =?utf-8?B?w6Q", b"Whatever.\r\n")
    yield "server's own headers", odd(50, "Kept", b"Read long ago.\r\n", ("Status", "RO"), ("X-UID", "12"))
    written = '"Miller, Grace" (the cook) <grace@[192.0.2.7]>, undisclosed:;'
    yield "addresses as people write them", odd(51, "Names", b"Dear all\r\n", ("Reply-To", written))


def _dates() -> Iterator[Labelled]:
    dates = {
        "1970": "Thu, 1 Jan 1970 00:00:00 +0000",
        "2106": "Sun, 7 Feb 2106 06:28:16 +0000",
        "a year of two digits": "9 Jan 99 07:30 EST",
        "nonsense": "the day after tomorrow",
        "an impossible day": "Fri, 31 Feb 2025 25:61:00 +9999",
    }
    for place, (label, written) in enumerate(dates.items(), 60):
        headers = [(name, written if name == "Date" else value) for name, value in usual(place, f"Date: {label}")]
        yield f"date: {label}", block(headers) + b"\r\nThe clock in the hall is right twice a day.\r\n"
    undated = [header for header in usual(66, "Undated") if header[0] != "Date"]
    yield "no date", block(undated) + b"\r\nTime flies.\r\n"


def _near_twins() -> Iterator[Labelled]:
    note = odd(70, "To both lists", b"You may get this twice.\r\n")
    yield "exact duplicate, first", note
    yield "exact duplicate, second", note
    hop = b"Received: from relay%d.example.com by mx.example.org;\r\n\tMon, 9 Jan 2023 08:00:00 +0000\r\n"
    sent = odd(71, "Two ways home", b"The same letter by two roads.\r\n")
    yield "equal but for one Received line, first", hop % 1 + sent
    yield "equal but for one Received line, second", hop % 2 + sent
    yield "equal Message-ID, first body", odd(72, "Numbers", b"We are twelve for lunch.\r\n")
    yield "equal Message-ID, second body", odd(72, "Numbers", b"Correction: we are thirteen for lunch!\r\n")
    # Nothing but the body tells these two apart, and it is of the same length.
    yield "equal header and size, first body", odd(73, "Room", b"Meet in room A.\r\n")
    yield "equal header and size, second body", odd(73, "Room", b"Meet in room B.\r\n")
    yield "equal but for Status, first", odd(74, "Status", b"Seen?\r\n", ("Status", "RO"))
    yield "equal but for Status, second", odd(74, "Status", b"Seen?\r\n", ("Status", "OR"))


def _charsets() -> Iterator[Labelled]:
    undeclared = [("Content-Type", "text/plain"), ("Content-Transfer-Encoding", "8bit")]
    yield "undeclared KOI8-R", odd(80, "Pie", crlf("На кухне стоит яблочный пирог.\n", "koi8-r"), *undeclared)
    yield "undeclared Shift_JIS", odd(81, "Cake", crlf("台所に林檎のケーキがあります。\n", "shift_jis"), *undeclared)
    ascii_ = ("Content-Type", "text/plain; charset=us-ascii")
    yield "windows-1252 declared as ASCII", odd(82, "Prices", crlf("“12 €” – that’s all…\n", "cp1252"), ascii_)
    latin = ("Content-Type", "text/plain; charset=iso-8859-1")
    yield "UTF-8 declared as Latin-1", odd(83, "Umlauts", crlf("Süße Grüße\n"), latin)
    unknown = ("Content-Type", "text/plain; charset=x-unknown-8")
    yield "an unknown charset", odd(84, "Who knows", crlf("Füße\n", "latin-1"), unknown)
    broken = ("Content-Transfer-Encoding", "base64")
    yield "broken base64", odd(85, "Crumbs", b"QnJlYWQ!!gYW5k\r\n*IGJ1dHRlcg\r\nx\r\n", broken)
    qp = ("Content-Transfer-Encoding", "quoted-printable")
    yield "broken quoted-printable", odd(86, "Soft", b"bread =\r\nand =ZZ butter =C3\r\n=\r\n", qp)
    flowed = ("Content-Type", "text/plain; charset=utf-8; format=flowed; delsp=yes")
    yield "format=flowed", odd(87, "Flowing", b"This line goes \r\non here.\r\n-- \r\nGrace\r\n", flowed)
    yield "UTF-16 in base64", letter(usual(88, "Wide"), text("Bread and butter for all\n", "utf-16", "base64"))


def _big(chance: Random) -> Labelled:
    picture = attachment("image/png", png(1_050, chance), "The whole team in the garden.png")
    part = multipart("mixed", [text("Here is the picture of us all!\n"), picture], "=_garden")
    return "a letter of 1.5 MB", letter(usual(90, "Summer party"), part)
