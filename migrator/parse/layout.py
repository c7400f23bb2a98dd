"""HTML mail as its sender laid it out, without anything that acts, loads or leads astray.

Runs only in ``migrator.parse.worker``: what cleans HTML takes time by the square of its depth, and may crash. Each part
is cleaned alone and never put together with another. What a browser loads by itself is taken out and counted; pictures
of the message itself are put in as ``data:`` URLs. The page that shows this puts a policy and a sandbox around it
besides: each of the two suffices alone.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from migrator.lazy_dataclasses import dataclass, field
from migrator.parse.charsets import decode

if TYPE_CHECKING:
    from migrator.parse.content import Leaf

LONGEST_HTML = 2_000_000
"""Characters of all HTML parts of a message that are cleaned; further parts are left out."""
DEEPEST_HTML = 1_000
"""Elements within one another, of those that have an end; deeper HTML is not cleaned, since that takes too long."""
LARGEST_PICTURES = 8_000_000
"""Octets of all pictures that are put into one message."""
MOST_HOSTS = 50


def _names(written: str) -> frozenset[str]:
    return frozenset(written.split())


_TAGS = _names(
    "a abbr address b bdi bdo big blockquote br caption center cite code col colgroup dd del dfn div dl dt em "
    "figcaption figure font h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp small span strike strong "
    "sub sup table tbody td tfoot th thead tr tt u ul var wbr"
)
_WITHOUT_CONTENT = _names(
    "applet audio canvas embed frameset iframe math noembed noframes noscript object plaintext script select "
    "style svg template textarea title video xmp"
)
"""Elements that go with everything in them; of others that go, the text stays."""
_EVERYWHERE = _names("align background bgcolor color dir height lang style title valign width")
_ATTRIBUTES = {
    "*": _EVERYWHERE,
    "a": frozenset({"href"}),
    "col": frozenset({"span"}),
    "colgroup": frozenset({"span"}),
    "font": frozenset({"face", "size"}),
    "img": frozenset({"alt", "border", "src", "srcset"}),
    "ol": frozenset({"start", "type"}),
    "table": frozenset({"border", "cellpadding", "cellspacing"}),
    "td": frozenset({"colspan", "nowrap", "rowspan"}),
    "th": frozenset({"colspan", "nowrap", "rowspan"}),
}
_PROPERTIES = _names(
    "background-color border border-bottom border-bottom-color border-bottom-style border-bottom-width "
    "border-collapse border-color border-left border-left-color border-left-style border-left-width border-radius "
    "border-right border-right-color border-right-style border-right-width border-spacing border-style border-top "
    "border-top-color border-top-style border-top-width border-width color direction display font font-family "
    "font-size font-style font-variant font-weight height letter-spacing line-height margin margin-bottom "
    "margin-left margin-right margin-top max-height max-width min-height min-width padding padding-bottom padding-left "
    "padding-right padding-top text-align text-decoration text-indent text-transform vertical-align white-space "
    "width word-break word-spacing"
)
"""Properties of CSS that load nothing and leave what they belong to in its place."""
_HARMLESS_VALUE = re.compile(r"""(?:[\w\s.,%#'"!+-]|(?:rgba?|hsla?)\([\d\s.,%/]{1,60}\))*\Z""", re.I | re.A)
_LINKS = ("http", "https", "mailto")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,30}):", re.I)
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.I)
_CSS_URL = re.compile(r"url\(\s*['\"]?\s*((?:https?:)?//[^'\")\s]{1,2000})", re.I)
_UNCOUNTED = _names(
    "area base body br col colgroup dd dt embed head hr html img input li link meta option p param source tbody "
    "td tfoot th thead tr track wbr"
)
"""Elements without an end, or whose end may be left out: honest mail leaves thousands of them open."""
_DATA_URL = re.compile(r"data:image/(?:png|gif|jpe?g|webp);base64,([A-Za-z0-9+/=\s]*)\Z", re.I)


class NotCleanedError(ValueError):
    """HTML is larger or deeper than is cleaned."""


@dataclass(frozen=True, slots=True)
class Layout:
    """HTML that neither acts nor loads, empty where the message has none.

    ``remote`` counts the pictures that it would have loaded, ``hosts`` names the servers of them, ``links`` the servers
    that its links lead to. ``is_whole`` is false where parts or pictures were left out.
    """

    html: str = ""
    remote: int = 0
    hosts: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    is_whole: bool = True


def laid_out(leaves: Iterable[Leaf], *, loads_pictures: bool = False) -> Layout:
    """Return the HTML of a message. Raises ``NotCleanedError``; hostile input may do worse, see above.

    With ``loads_pictures``, which is a person's choice, pictures of https servers stay.
    """
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    octets = characters = 0
    is_whole = True
    for leaf in leaves:
        if leaf.content_type == "text/html" and leaf.is_text:
            source = decode(leaf.content, leaf.html_charset)
            characters += len(source)
            if characters <= LONGEST_HTML:
                parts.append(source)
            is_whole = is_whole and characters <= LONGEST_HTML
        elif leaf.content_id and _is_raster(leaf.content):
            octets += len(leaf.content)
            if octets <= LARGEST_PICTURES:
                pictures.setdefault(leaf.content_id.strip("<> \t\r\n"), leaf.content)
    if characters and not parts:
        raise NotCleanedError("its HTML is too large")
    from migrator.parse.link_hosts import with_hosts

    work = _Cleaning(pictures, loads_pictures=loads_pictures)
    cleaned = [work.clean(part) for part in parts]
    return Layout(
        "<hr>".join(with_hosts(part) for part in cleaned),
        work.remote,
        tuple(work.hosts)[:MOST_HOSTS],
        tuple(work.links)[:MOST_HOSTS],
        is_whole and work.is_whole,
    )


def cleaned(source: str, pictures: Mapping[str, bytes] | None = None) -> str:
    """Return HTML without anything that acts or loads; cleaning it once more changes nothing."""
    return _Cleaning(pictures or {}).clean(source)


@dataclass(slots=True)
class _Cleaning:
    """The cleaning of one message, and what was met in it."""

    pictures: Mapping[str, bytes]
    loads_pictures: bool = False
    remote: int = 0
    hosts: dict[str, None] = field(default_factory=dict)
    links: dict[str, None] = field(default_factory=dict)
    room: int = LARGEST_PICTURES
    is_whole: bool = True

    def clean(self, source: str) -> str:
        import nh3

        source = source.encode("utf-8", "replace").decode("utf-8").replace("\0", "")
        if _depth(source) > DEEPEST_HTML:
            raise NotCleanedError("its HTML is nested too deeply")
        return nh3.clean(
            source,
            tags=_TAGS,
            clean_content_tags=_WITHOUT_CONTENT,
            attributes=_ATTRIBUTES,
            attribute_filter=self._attribute,
            link_rel="noopener noreferrer nofollow",
            set_tag_attribute_values={"a": {"target": "_blank"}},
            url_schemes={*_LINKS, "cid", "data"},
            url_relative=lambda _url: None,  # "deny" would hide them from the counting
        )

    def _attribute(self, tag: str, name: str, value: str) -> str | None:
        """Return what stays of an attribute, None for nothing; never raises, for that would print it."""
        try:
            return self._judged(tag, name, value)
        except (ValueError, ArithmeticError, LookupError, RuntimeError):
            return None

    def _judged(self, tag: str, name: str, value: str) -> str | None:
        match tag, name:
            case "img", "src":
                return self._picture(_as_browsers_read(value))
            case "a", "href":
                return self._link(_as_browsers_read(value))
            case _, "style":
                return self._style(value)
            case _, "background" | "srcset":
                self._note_remote(_as_browsers_read(value))
                return None
            case _, "href" | "src":
                return None
            case _:
                return value

    def _picture(self, url: str) -> str | None:
        if url[:4].lower() == "cid:":
            return self._of_message(unquote(url[4:]))
        if found := _DATA_URL.match(url):
            return self._as_data(_decoded(found[1]))
        self._note_remote(url)
        return url if self.loads_pictures and url[:8].lower() == "https://" and host_of(url) else None

    def _of_message(self, content_id: str) -> str | None:
        picture = self.pictures.get(content_id.strip("<> "))
        if picture is None:
            self.is_whole = False
            return None
        return self._as_data(picture)

    def _as_data(self, picture: bytes) -> str | None:
        kind = raster_type(picture)
        if not kind or len(picture) > self.room:
            self.is_whole = False
            return None
        self.room -= len(picture)
        return f"data:{kind};base64,{b64encode(picture).decode()}"

    def _link(self, url: str) -> str | None:
        scheme = _SCHEME.match(url)
        if scheme is None or scheme[1].lower() not in _LINKS:
            return None
        if scheme[1].lower() == "mailto":
            return url
        host = host_of(url)
        if not host:
            return None
        self.links[host] = None
        return url

    def _style(self, value: str) -> str | None:
        for found in _CSS_URL.finditer(value):
            self._note_remote(found[1])
        return harmless_style(value) or None

    def _note_remote(self, url: str) -> None:
        address = url.split(maxsplit=1)[0] if url.strip() else ""
        if (scheme := _SCHEME.match(address)) and scheme[1].lower() not in {"http", "https"}:
            return
        self.remote += 1
        if host := host_of(address):
            self.hosts[host] = None


def harmless_style(value: str) -> str:
    """Return the declarations of a style that load nothing and keep what they belong to in its place."""
    if "\\" in value or "/*" in value:  # both hide what a declaration is; honest mail needs neither
        return ""
    kept = []
    for declaration in value.split(";"):
        name, colon, content = declaration.partition(":")
        name, content = name.strip().lower(), content.strip()
        is_balanced = content.count('"') % 2 == content.count("'") % 2 == 0
        if colon and content and is_balanced and name in _PROPERTIES and _HARMLESS_VALUE.match(content):
            kept.append(f"{name}:{content}")
    return ";".join(kept)


def host_of(url: str) -> str:
    """Return the server of a URL, empty where it names none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _as_browsers_read(url: str) -> str:
    """Return a URL without what browsers pass over: blanks and controls around it, tabs and line ends in it."""
    url = url.strip("".join(map(chr, range(0x21))))
    return re.sub(r"[\t\r\n]", "", url).replace("\\", "/")


def _decoded(text: str) -> bytes:
    try:
        return b64decode(re.sub(r"\s", "", text), validate=True)
    except Base64Error:
        return b""


def raster_type(content: bytes) -> str:
    """Return the MIME type of a picture that browsers draw and nothing more, by its first bytes; else nothing."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    return "image/webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else ""


def _is_raster(content: bytes) -> bool:
    return bool(raster_type(content))


def _depth(source: str) -> int:
    """Return how many elements stand within one another at most, by their tags alone."""
    deepest = depth = 0
    for found in _TAG.finditer(source):
        if found[2].lower() in _UNCOUNTED:
            continue
        depth = max(depth - 1, 0) if found[1] else depth + 1
        deepest = max(deepest, depth)
    return deepest
