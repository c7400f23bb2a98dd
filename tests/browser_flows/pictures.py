"""Pictures of every screen for docs/web.md: small PNGs of 256 colours, made by Chromium of the sample office.

The folder in which the office lives for that time stands on some screens; the pictures call it ``/srv/mailferry``.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.browser_flows.screens import SHOWN, Shown

FOLDER = Path(__file__).parents[2] / "docs" / "images"
PAGE = FOLDER.parent / "web.md"
HEADING = "## What it looks like"
ALSO_SMALL: Sequence[str] = ("overview", "needs-a-look", "message")
"""Those that are shown once more, dark and on a small telephone."""
HIGHEST = 900
_PLACE = """([from, to]) => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let one = texts.nextNode(); one; one = texts.nextNode()) one.data = one.data.replaceAll(from, to);
    for (const one of document.querySelectorAll('input')) one.value = one.value.replaceAll(from, to);
}"""
_INDEXED = """async (png) => {
    const picture = new Image();
    picture.src = 'data:image/png;base64,' + png;
    await picture.decode();
    const canvas = new OffscreenCanvas(picture.width, picture.height), brush = canvas.getContext('2d');
    brush.drawImage(picture, 0, 0);
    const data = brush.getImageData(0, 0, picture.width, picture.height).data;
    const pixels = new Uint32Array(data.length / 4), count = new Map();
    for (let at = 0; at < pixels.length; at++) {
        const colour = (data[4 * at] << 16) | (data[4 * at + 1] << 8) | data[4 * at + 2];
        pixels[at] = colour;
        count.set(colour, (count.get(colour) || 0) + 1);
    }
    const often = [...count].sort((one, other) => other[1] - one[1]).map((one) => one[0]);
    const palette = often.slice(0, 256), place = new Map(palette.map((colour, index) => [colour, index]));
    for (const colour of often.slice(256)) {
        let best = 0, least = Infinity;
        palette.forEach((other, index) => {
            const far = [16, 8, 0].reduce((sum, bits) => sum + ((colour >> bits & 255) - (other >> bits & 255)) ** 2, 0);
            if (far < least) [best, least] = [index, far];
        });
        place.set(colour, best);
    }
    let indexed = '';
    for (let at = 0; at < pixels.length; at++) indexed += String.fromCharCode(place.get(pixels[at]));
    return [picture.width, picture.height, palette, btoa(indexed)];
}"""


def names_of(shown: Shown) -> Sequence[str]:
    """Return the names of the pictures of a screen."""
    return [shown.name, *([f"{shown.name}-small"] if shown.name in ALSO_SMALL else [])]


def album() -> str:
    """Return what docs/web.md says of all pictures."""
    return "\n".join([HEADING, "", "`make screenshots` makes these pictures.", "", *_lines()])


def _lines() -> Iterator[str]:
    for shown in SHOWN:
        for name in names_of(shown):
            alt = shown.alt if name == shown.name else f"{shown.alt}; dark, on a small telephone"
            yield f"![{alt}](images/{name}.png)"
            yield ""


def take(page: Page, folder: str) -> bytes:
    """Return the picture of a page as a small PNG."""
    page.evaluate(_PLACE, [folder, "/srv/mailferry"])
    height = min(page.evaluate("() => document.documentElement.scrollHeight"), HIGHEST)
    width = page.evaluate("() => document.documentElement.clientWidth")
    return page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": width, "height": height})


def shrunk(browser: Browser, png: bytes) -> bytes:
    """Return a PNG of at most 256 colours, those that occur most."""
    page = browser.new_page()
    width, height, palette, indexed = page.evaluate(_INDEXED, base64.b64encode(png).decode())
    page.close()
    pixels = base64.b64decode(indexed)
    rows = b"".join(b"\0" + pixels[row * width : (row + 1) * width] for row in range(height))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", b"".join(colour.to_bytes(3, "big") for colour in palette)),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def with_album(page: str) -> str:
    """Return docs/web.md with the album in place of the one before, at its end."""
    return page.partition(f"\n{HEADING}\n")[0].rstrip("\n") + "\n\n" + album().rstrip("\n") + "\n"
