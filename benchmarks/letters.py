"""Two hundred thousand letters worth searching: words as frequent as words are, ten years, eight hundred people.

The same every time. One letter in twenty is Japanese or Chinese, one in six has an attachment. No line begins with
``From``, so that a letter is the same in an mbox file and in a Maildir.
"""

# ruff: noqa: SIM905  # quoted words, each between quotes of its own, are no easier to read
from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from math import log
from random import Random

_TOPICS = (
    "invoice contract budget meeting holiday delivery garden quarterly report insurance marmalade passport"
    " schedule warranty travel server printer library recipe concert"
).split()
_SYLLABLES = "ba co di fe gu ha jo ki lu me no pa qui re sa to ul va wo xy ze an er in ost und".split()
_JAPANESE = "会議 請求書 予定 資料 東京 大阪 契約 明日 確認 送付 の件 について お願いします 報告 年度 予算 部長".split()
_CHINESE = "會議 合同 报告 明天 北京 上海 付款 发票 项目 经理 请确认 谢谢 附件 时间 安排 预算 季度".split()
_FIRST = datetime(2016, 1, 1, tzinfo=UTC)
_MINUTES = 10 * 365 * 24 * 60
_PEOPLE = 800
_VOCABULARY = 40_000
_LINES = 30_000


def letters(count: int) -> Iterator[bytes]:
    """Yield letters of a median of 2 KB, each with a Message-ID of its own; lines end in LF."""
    chance = Random("letters")
    latin = stock_of_lines(chance, vocabulary(chance), " ", _LINES)
    eastern = [stock_of_lines(chance, words, "", 2_000) for words in (_JAPANESE, _CHINESE)]
    for number in range(count):
        lines = chance.choice(eastern) if number % 20 == 0 else latin
        text = b"".join(chance.choices(lines, k=max(2, int(chance.lognormvariate(log(24), 0.8)))))
        attached = chance.randbytes(600) if number % 6 == 0 else b""
        yield _letter(number, chance, chance.choice(lines), text, attached)


def vocabulary(chance: Random) -> list[str]:
    """Return words of one to four syllables, and twenty that people look for, each rarer than the one before."""
    made = dict.fromkeys("".join(chance.choices(_SYLLABLES, k=chance.randrange(1, 5))) for _ in range(_VOCABULARY))
    words = [word for word in made if word not in _TOPICS]
    for place, topic in enumerate(_TOPICS):
        words.insert(200 * (place + 1), topic)
    return words


def stock_of_lines(chance: Random, words: list[str], blank: str, count: int) -> list[bytes]:
    """Return lines in which the nth word is as frequent as 1/n, as in any language (Zipf)."""
    weights = list(accumulate(1 / (rank + 2) for rank in range(len(words))))
    return [
        blank.join(chance.choices(words, cum_weights=weights, k=chance.randrange(5, 14))).encode() + b"\n"
        for _ in range(count)
    ]


def _letter(number: int, chance: Random, line: bytes, text: bytes, attached: bytes) -> bytes:
    sender = int(chance.triangular(0, _PEOPLE, 0))
    written = _FIRST + timedelta(minutes=chance.randrange(_MINUTES))
    head = (
        f"Message-ID: <{number}.{chance.getrandbits(48):012x}@letters.example.org>\n"
        f"Date: {written:%a, %d %b %Y %H:%M:%S} +0000\nFrom: Person {sender} <person{sender}@example.org>\n"
        f"To: person{chance.randrange(_PEOPLE)}@example.org\nMIME-Version: 1.0\n"
        f"Subject: =?utf-8?b?{b64encode(line.strip()[:40].decode(errors='ignore').encode()).decode()}?=\n"
    ).encode()
    plain = b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n" + text
    if not attached:
        return head + plain
    file = (
        b"Content-Type: application/pdf; name=file%d.pdf\nContent-Disposition: attachment; filename=file%d.pdf\n"
        b"Content-Transfer-Encoding: base64\n\n%b\n" % (number, number, b64encode(attached))
    )
    mixed = b'Content-Type: multipart/mixed; boundary="=-letters"\n\n'
    return head + mixed + b"--=-letters\n" + plain + b"\n--=-letters\n" + file + b"\n--=-letters--\n"
