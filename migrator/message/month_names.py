"""The months as people and their programs call them in headers, in languages that were met there. Pure."""
# ruff: noqa: RUF001  # Greek, Cyrillic and Turkish letters look like Latin ones

from __future__ import annotations

import unicodedata
from functools import lru_cache

_SHORTEST_ABBREVIATION = 3
_LANGUAGES = """
January February March April May June July August September October November December
Januar|Jänner Februar|Feber März|Maerz|Mrz April Mai Juni Juli August September Oktober November Dezember
janvier février mars avril mai juin juillet août septembre octobre novembre décembre
enero febrero marzo abril mayo junio julio agosto septiembre|setiembre octubre noviembre diciembre
gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
januari februari maart|mrt april mei juni juli augustus september oktober november december
janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro
stycznia|styczeń lutego|luty marca|marzec kwietnia|kwiecień maja|maj czerwca|czerwiec lipca|lipiec sierpnia|sierpień
 września|wrzesień października|październik listopada|listopad grudnia|grudzień
ledna|leden února|únor března|březen dubna|duben května|květen června|červen července|červenec srpna|srpen
 září října|říjen listopadu|listopad prosince|prosinec
januari februari mars april maj juni juli augusti september oktober november december
januar februar marts|mars april maj|mai juni juli august september oktober november december|desember
ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie
ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık
január február március április május június július augusztus szeptember október november december
января|январь февраля|февраль марта|март апреля|апрель мая|май июня|июнь июля|июль августа|август
 сентября|сентябрь октября|октябрь ноября|ноябрь декабря|декабрь
січня|січень лютого|лютий березня|березень квітня|квітень травня|травень червня|червень липня|липень серпня|серпень
 вересня|вересень жовтня|жовтень листопада|листопад грудня|грудень
Ιανουαρίου|Ιανουάριος Φεβρουαρίου|Φεβρουάριος Μαρτίου|Μάρτιος Απριλίου|Απρίλιος Μαΐου|Μάιος Ιουνίου|Ιούνιος
 Ιουλίου|Ιούλιος Αυγούστου|Αύγουστος Σεπτεμβρίου|Σεπτέμβριος
 Οκτωβρίου|Οκτώβριος Νοεμβρίου|Νοέμβριος Δεκεμβρίου|Δεκέμβριος
一月 二月 三月 四月 五月 六月 七月 八月 九月 十月 十一月 十二月
"""
"""Twelve words a language, with ``|`` between forms of one month; a line that begins with a blank goes on.

English, German, French, Spanish, Italian, Dutch, Portuguese, Polish, Czech, Swedish, Danish and Norwegian, Romanian,
Turkish, Hungarian, Russian, Ukrainian, Greek, Chinese. Croatian is left out: its listopad is October.
"""


@lru_cache(maxsize=256)
def month_named(word: str) -> int | None:
    """Return the number of the month that ``word`` names or abbreviates; None if none does, or one in each language."""
    plain = _plain(word)
    exact = _NAMES.get(plain)
    if exact is not None or len(plain) < _SHORTEST_ABBREVIATION:
        return exact
    months = {month for name, month in _NAMES.items() if name.startswith(plain)}
    return months.pop() if len(months) == 1 else None


def _plain(word: str) -> str:
    """Return a word without case and accents."""
    apart = unicodedata.normalize("NFKD", word.replace("ı", "i").casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def _names() -> dict[str, int]:
    names: dict[str, int] = {}
    for language in _LANGUAGES.replace("\n ", " ").strip().splitlines():
        for number, forms in enumerate(language.split(), 1):
            names |= {_plain(form): number for form in forms.split("|")}
    return names


_NAMES = _names()
