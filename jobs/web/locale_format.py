"""Numbers, sizes, spans and moments as people write them in the language in force; moments in the machine's zone.

What differs between languages is a word for a translator like any other: separators, months, the order of a date.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from jobs.web.language import gettext as _, ngettext, pgettext, pgettext_lazy

MONTHS = (
    pgettext_lazy("month", "January"),
    pgettext_lazy("month", "February"),
    pgettext_lazy("month", "March"),
    pgettext_lazy("month", "April"),
    pgettext_lazy("month", "May"),
    pgettext_lazy("month", "June"),
    pgettext_lazy("month", "July"),
    pgettext_lazy("month", "August"),
    pgettext_lazy("month", "September"),
    pgettext_lazy("month", "October"),
    pgettext_lazy("month", "November"),
    pgettext_lazy("month", "December"),
)
_UNITS = ("kB", "MB", "GB", "TB")
_SHORTEST_DAYS = 48
"""Hours from which on a span is said in days."""


def number(value: float, places: int = 0) -> str:
    """Return a number with its thousands apart, and that many decimal places."""
    whole, _point, rest = f"{value:,.{places}f}".partition(".")
    grouped = whole.replace(",", pgettext("between thousands", ","))
    return f"{grouped}{pgettext('decimal point', '.')}{rest}" if rest else grouped


def size(octets: float) -> str:
    """Return octets as a person reads them, in powers of ten: ``81 kB``."""
    if octets < 1000:
        return ngettext("%(number)s byte", "%(number)s bytes", round(octets)) % {"number": number(octets)}
    value = octets / 1000
    for unit in _UNITS[:-1]:
        if value < 1000:
            return f"{number(value, 0 if value >= 10 else 1)} {unit}"
        value /= 1000
    return f"{number(value, 1)} {_UNITS[-1]}"


def span(seconds: float) -> str:
    """Return a span as a person reads it: ``1.2 s``, ``3 min``, ``2 h 5 min``, ``4 days``."""
    if seconds < 59.5:
        return _("%(number)s s") % {"number": number(seconds, 1 if seconds < 10 else 0)}
    minutes = round(seconds / 60)
    if minutes < 60:
        return _("%(number)s min") % {"number": number(minutes)}
    hours, rest = divmod(minutes, 60)
    if hours >= _SHORTEST_DAYS:
        days = hours // 24
        return ngettext("%(number)s day", "%(number)s days", days) % {"number": number(days)}
    if rest:
        return _("%(hours)s h %(minutes)s min") % {"hours": number(hours), "minutes": number(rest)}
    return _("%(number)s h") % {"number": number(hours)}


def day(when: date) -> str:
    """Return a day: ``3 May 2026``."""
    return _("%(day)d %(month)s %(year)d") % {"day": when.day, "month": MONTHS[when.month - 1], "year": when.year}


def moment(seconds: float | None) -> str:
    """Return a moment (seconds since the epoch) to the minute: ``3 May 2026 14:05``; ``never`` for none."""
    if not seconds:
        return _("never")
    return local_moment(datetime.fromtimestamp(seconds, UTC).astimezone())


def local_moment(local: datetime) -> str:
    """Return a moment of the machine's zone to the minute."""
    return _("%(day)s %(hour)02d:%(minute)02d") % {"day": day(local), "hour": local.hour, "minute": local.minute}
