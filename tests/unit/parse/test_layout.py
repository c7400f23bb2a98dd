from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings, strategies as st

from migrator.message.digest import canonical
from migrator.parse.content import Leaf
from migrator.parse.layout import (
    LARGEST_PICTURES,
    Layout,
    NotCleanedError,
    cleaned,
    harmless_style,
    laid_out,
    raster_type,
)
from migrator.parse.process import NotParsed, Parser
from tests.unit.parse.attacks import ATTACKS, BOMBS, LOADS

pytest.importorskip("nh3")

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
AS_DATA = f"data:image/png;base64,{b64encode(PNG).decode()}"


class Seen(HTMLParser):
    """What a browser would meet in a document."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)


ACTIVE = frozenset(
    [
        "applet",
        "area",
        "audio",
        "base",
        "body",
        "button",
        "embed",
        "form",
        "frame",
        "html",
        "iframe",
        "input",
        "link",
        "map",
        "math",
        "meta",
        "noscript",
        "object",
        "picture",
        "script",
        "select",
        "source",
        "style",
        "svg",
        "template",
        "textarea",
        "title",
        "track",
        "video",
        "xmp",
        "plaintext",
        "noembed",
    ]
)
PASSIVE = frozenset(
    [
        "align",
        "alt",
        "bgcolor",
        "border",
        "cellpadding",
        "cellspacing",
        "color",
        "colspan",
        "dir",
        "face",
        "height",
        "lang",
        "nowrap",
        "rel",
        "rowspan",
        "size",
        "span",
        "start",
        "target",
        "title",
        "type",
        "valign",
        "width",
    ]
)


def assert_stable(once: str) -> None:
    again = cleaned(once)
    assert len(again) == len(once)
    assert Seen(again).elements == Seen(once).elements  # whatever the order of their attributes


def assert_harmless(html: str) -> None:
    for tag, attributes in Seen(html).elements:
        assert tag not in ACTIVE
        for name, value in attributes.items():
            match tag, name:
                case "a", "href":
                    assert value.lower().startswith(("http://", "https://", "mailto:"))
                case "img", "src":
                    assert value.startswith("data:image/")
                    assert "svg" not in value[:30]
                case _, "style":
                    assert not any(
                        sign in value.lower() for sign in ("url", "expression", "position", "\\", "image-set", "@")
                    )
                case _:
                    assert name in PASSIVE, (tag, name)
        if tag == "a":
            assert attributes["rel"] == "noopener noreferrer nofollow"
            assert attributes["target"] == "_blank"


@pytest.mark.parametrize("kind", ATTACKS)
def test_nothing_that_acts_or_loads_is_left(kind: str) -> None:
    assert_harmless(cleaned(ATTACKS[kind]))


@pytest.mark.parametrize("kind", ATTACKS)
def test_cleaning_once_more_changes_nothing(kind: str) -> None:
    assert_stable(cleaned(ATTACKS[kind]))


@given(st.lists(st.sampled_from(sorted(ATTACKS)) | st.text("<>/='\" &;!-[]ab\0", max_size=12), max_size=6))
@settings(deadline=None, max_examples=150)
def test_attacks_one_behind_the_other_are_harmless_too(kinds: list[str]) -> None:
    kinds = [kind for kind in kinds if kind != "506-fold nesting"]  # several of it are too deep
    once = cleaned("".join(ATTACKS.get(kind, kind) for kind in kinds))
    assert_harmless(once)
    assert_stable(once)


@given(
    st.sampled_from(sorted(ATTACKS)),
    st.integers(0, 200),
    st.sampled_from(["<", ">", '"', "'", "</", "<!--", "<svg>", "\0"]),
)
@settings(deadline=None, max_examples=150)
def test_an_attack_with_something_put_in_is_harmless_too(kind: str, at: int, put_in: str) -> None:
    written = ATTACKS[kind]
    assert_harmless(cleaned(written[:at] + put_in + written[at:]))


def html_leaf(source: str) -> Leaf:
    return Leaf("text/html", "utf-8", "", is_attached=False, content=source.encode("utf-8", "replace"))


def picture_leaf(name: str, content: bytes = PNG) -> Leaf:
    return Leaf("image/png", "", name, is_attached=True, content=content, content_id=f"<{name}>")


def test_an_ordinary_letter_keeps_its_looks() -> None:
    written = '<h1>Hello</h1><p style="color:red;font-size:12px">all <b>the</b> <a href="https://example.org/a?b=1">best</a></p>'
    result = laid_out([html_leaf(written)])
    assert '<p style="color:red;font-size:12px">all <b>the</b>' in result.html
    assert 'href="https://example.org/a?b=1"' in result.html
    assert (result.remote, result.links, result.is_whole) == (0, ("example.org",), True)


def test_a_picture_of_the_message_stands_in_it_and_one_that_is_none_does_not() -> None:
    source = '<img src="cid:a%40b" alt="logo"><img src="cid:svg"><img src="cid:absent">'
    result = laid_out([html_leaf(source), picture_leaf("a@b"), picture_leaf("svg", b"<svg onload=pwned(1)>")])
    assert result.html == f'<img src="{AS_DATA}" alt="logo"><img><img>'
    assert not result.is_whole
    assert result.remote == 0


def test_a_picture_written_into_the_html_is_judged_by_its_bytes() -> None:
    liar = f"data:image/png;base64,{b64encode(b'<svg>').decode()}"
    assert cleaned(f'<img src="{AS_DATA}"><img src="{liar}">') == f'<img src="{AS_DATA}"><img>'


def test_a_picture_that_is_shown_a_thousand_times_is_bounded() -> None:
    large = PNG + b"x" * 1_000_000
    result = laid_out([html_leaf("<img src=cid:a>" * 1_000), picture_leaf("a", large)])
    assert len(result.html) < LARGEST_PICTURES * 2
    assert not result.is_whole


@pytest.mark.parametrize(
    "kind",
    [
        "img",
        "img without a scheme",
        "img with backslashes",
        "img of a blank and a tab",
        "srcset",
        "table background",
        "css background",
    ],
)
def test_what_would_have_been_loaded_is_counted_with_its_server(kind: str) -> None:
    result = laid_out([html_leaf(LOADS[kind])])
    assert (result.remote, result.hosts) == (1, ("evil.test",))


def test_pictures_of_https_servers_stay_where_a_person_wants_them() -> None:
    source = '<img src="https://example.org/i.png"><img src="http://example.org/j.png"><img src="https:/e">'
    result = laid_out([html_leaf(source)], loads_pictures=True)
    assert result.html == '<img src="https://example.org/i.png"><img><img>'
    assert "src" not in laid_out([html_leaf(source)]).html


def test_parts_are_cleaned_each_alone() -> None:
    result = laid_out([html_leaf('<img src="http://evil.test/?'), html_leaf('secret">')])
    assert "secret" in result.html
    assert_harmless(result.html)
    assert result.remote == 0


def test_the_true_host_stands_behind_a_link_that_names_another() -> None:
    result = laid_out(
        [
            html_leaf(
                '<a href="https://evil.test/x">www.bank.example</a> <a href="https://www.shop.example/">shop.example</a>'
            )
        ]
    )
    assert "www.bank.example</a> <small><bdi>[evil.test]</bdi></small>" in result.html
    assert "[www.shop.example]" not in result.html
    assert result.links == ("evil.test", "www.shop.example")


@pytest.mark.parametrize(
    ("style", "kept"),
    [
        ("COLOR: Red", "color:Red"),
        ("color:rgb(1, 2, 3);position:fixed", "color:rgb(1, 2, 3)"),
        ("width:expression(alert(1))", ""),
        ("width:calc(1px)", ""),
        ("color:u\\72l(x)", ""),
        ("col/**/or:red", ""),
        ("font-family:'A;b:c',serif", ""),
        ("background:red", ""),
        ("margin:0;;margin-left:1px;border-collapse:collapse", "margin:0;margin-left:1px;border-collapse:collapse"),
        ("--x:1;color:var(--x)", ""),
    ],
)
def test_only_declarations_stay_that_load_nothing(style: str, kept: str) -> None:
    assert harmless_style(style) == kept


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "image/png"),
        (b"GIF89a", "image/gif"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF1234WEBP", "image/webp"),
        (b"RIFF1234WAVE", ""),
        (b"<svg>", ""),
        (b"BM", ""),
        (b"", ""),
    ],
)
def test_pictures_are_known_by_their_first_bytes(content: bytes, kind: str) -> None:
    assert raster_type(content) == kind


def test_html_that_is_too_deep_or_too_large_is_not_cleaned() -> None:
    with pytest.raises(NotCleanedError, match="nested too deeply"):
        cleaned("<div>" * 2_000)
    with pytest.raises(NotCleanedError, match="too large"):
        laid_out([html_leaf(BOMBS["10 MB"])])
    assert cleaned("<p>" * 50_000).startswith("<p>")


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser() as parser:
        yield parser


def composed(html: str) -> bytes:
    message = EmailMessage()
    message["Subject"] = "laid out"
    message.set_content("as text")
    message.add_alternative(html, subtype="html")
    part = message.get_payload(1)
    assert isinstance(part, EmailMessage)
    part.add_related(PNG, "image", "png", cid="<logo@example.org>")
    return canonical(message.as_bytes())


def test_the_worker_lays_a_message_out(parser: Parser) -> None:
    result = parser.layout(composed('<p>Hi</p><img src="cid:logo@example.org"><img src="https://evil.test/p">'))
    assert isinstance(result, Layout)
    assert f'<p>Hi</p><img src="{AS_DATA}"><img>' in result.html
    assert (result.remote, result.hosts) == (1, ("evil.test",))
    chosen = parser.layout(composed('<img src="https://evil.test/p">'), loads_pictures=True)
    assert isinstance(chosen, Layout)
    assert 'src="https://evil.test/p"' in chosen.html


def test_a_message_without_html_has_no_layout(parser: Parser) -> None:
    assert parser.layout(b"Subject: x\r\n\r\ntext\r\n") == Layout()


@pytest.mark.slow
@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_ends_in_a_reason_or_in_harmless_html_and_the_next_message_is_read(kind: str, parser: Parser) -> None:
    result = parser.layout(b"Content-Type: text/html\r\n\r\n" + BOMBS[kind].encode())
    match result:
        case NotParsed(reason):
            assert reason
        case Layout(html):
            assert_harmless(html)
    assert parser.layout(b"Content-Type: text/html\r\n\r\n<b>next</b>") == Layout("<b>next</b>")
