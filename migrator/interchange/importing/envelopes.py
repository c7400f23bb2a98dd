"""From_ lines: which lines are the envelope of a message, and which are text that begins with the word.

Pure. An envelope is ``From``, a sender (an address, ``-``, or nothing) and a date, as ``asctime`` writes it or nearly
so. Text of a body that begins with ``From`` has neither. Programs that drop the date (Thunderbird) leave no sender
either.
"""

from __future__ import annotations

import re
from calendar import timegm

_MONTHS = (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec")
_DATED = re.compile(
    rb"From .{0,1000}?\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ \t]+(\d{1,2})[ \t]+"
    rb"(\d{1,2}):(\d\d)(?::(\d\d))?(?:[ \t]+([+-]\d{4}|[a-z]{1,5}))?[ \t]+((?:19|20)\d\d|\d\d)(?:[ \t]+([+-]\d{4}))?",
    re.I,
)
_DATED_OTHERWISE = re.compile(
    rb"From \S{0,320}[ \t].{0,200}\b(?:19|20)\d\d\b.{0,40}?\d{1,2}:\d\d|From \S.*\d:\d\d.*(?:19|20)\d\d"
)
_BARE = re.compile(rb"From (?:-|[^\s@]+@[^\s@]+)?[ \t]*\r?\Z")
_EARLIEST = 31_536_000
_ZONES = {
    b"est": -5,
    b"edt": -4,
    b"cst": -6,
    b"cdt": -5,
    b"mst": -7,
    b"mdt": -6,
    b"pst": -8,
    b"pdt": -7,
    b"cet": 1,
    b"cest": 2,
}


def is_envelope(line: bytes) -> bool:
    """Say whether a line has the look of an envelope: a sender, and a date with a time of day."""
    return _DATED.match(line) is not None or _DATED_OTHERWISE.match(line) is not None


def is_bare_envelope(line: bytes) -> bool:
    """Say whether a line is an envelope without a date: an address, ``-`` or nothing behind the word."""
    return _BARE.match(line) is not None


def envelope_date(line: bytes) -> float | None:
    """Return when a message arrived as its From_ line says, in seconds since the epoch; without a zone it is UTC."""
    found = _DATED.match(line)
    if found is None:
        return None
    month, day, hour, minute, second, zone, year, trailing = found.groups()
    number = int(year) + (0 if len(year) == 4 else 2000 if int(year) < 70 else 1900)
    if not (1 <= int(day) <= 31 and int(hour) < 24 and int(minute) < 60 and int(second or 0) <= 60):
        return None
    place = _MONTHS.index(month.lower()) + 1
    moment = timegm((number, place, int(day), int(hour), int(minute), int(second or 0), 0, 0, 0))
    moment -= _offset(zone) if zone else _offset(trailing) if trailing else 0
    return float(moment) if moment >= _EARLIEST else None


def _offset(zone: bytes) -> int:
    """Return the seconds east of Greenwich of ``+hhmm`` or of a name; 0 for a name nobody knows."""
    if zone[:1] in (b"+", b"-"):
        seconds = int(zone[1:3]) * 3600 + int(zone[3:5]) * 60
        return -seconds if zone.startswith(b"-") else seconds
    return _ZONES.get(zone.lower(), 0) * 3600
