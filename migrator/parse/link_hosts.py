"""Where links really lead: the host behind each whose text names another. For HTML that was cleaned before."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from migrator.parse.layout import host_of

_ADDRESS = re.compile(r"(?:https?://)?((?:[\w-]{1,63}\.)+[a-z]{2,24})(?=[/:?#\s]|\Z)", re.I)


def with_hosts(html: str) -> str:
    """Return cleaned HTML with the true host behind each link whose text names another one."""
    if "<a " not in html:
        return html
    marking = _Marking()
    marking.feed(html)
    marking.close()
    return "".join(marking.parts)


class _Marking(HTMLParser):
    """Writes cleaned HTML out as it came, and something behind links."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.parts: list[str] = []
        self._host = ""
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts.append(self.get_starttag_text() or "")
        if tag == "a":
            self._host, self._text = host_of(dict(attrs).get("href") or ""), []

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag: str) -> None:
        self.parts.append(f"</{tag}>")
        if tag == "a" and self._host and _names_another("".join(self._text), self._host):
            self.parts.append(f" <small><bdi>[{self._host}]</bdi></small>")
            self._host = ""

    def handle_data(self, data: str) -> None:
        self.parts.append(data)
        self._text.append(data)

    def handle_entityref(self, name: str) -> None:
        self.parts.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.parts.append(f"&#{name};")


def _names_another(text: str, host: str) -> bool:
    """Say whether a link's text looks like an address of another host than the one it leads to."""
    found = _ADDRESS.search(text[:2_000])
    return found is not None and found[1].lower().removeprefix("www.") != host.removeprefix("www.")
