"""What a page is looked at for, in a real browser: what axe-core finds, what is too wide, where the keyboard leads, what it asks for.

The page's own policy stays in force: axe is evaluated by the driver, since the policy lets no script in.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
WIDE, ZOOMED, NARROW = 1280, 640, 320
"""Widths in CSS pixels: a desk, the same at 200 %, a small telephone."""
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_AXE = """async (tags) => {
    const found = await axe.run(document, {runOnly: {type: 'tag', values: tags}, iframes: false});
    return found.violations.map((one) => one.id + ': ' + one.help + ' ' +
        one.nodes.map((node) => node.target.join(' ') + ' ' + (node.any[0]?.message || node.html)).join(' | '));
}"""
_OVERFLOW = """() => {
    const page = document.documentElement;
    if (page.scrollWidth <= page.clientWidth) return [];
    const clipped = (one) => one.closest('.scroll, pre') && !one.matches('.scroll, pre');
    const wide = [...document.querySelectorAll('body *')].filter(
        (one) => one.getBoundingClientRect().right > page.clientWidth + 1 && !clipped(one));
    return [`${page.scrollWidth} > ${page.clientWidth}`, ...wide.slice(0, 5).map((one) => one.outerHTML.slice(0, 120))];
}"""
_STOPS = """() => {
    const seen = new Set();
    let number = 0;
    for (const one of document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')) {
        if (one.type === 'hidden' || one.disabled || !one.checkVisibility()) continue;
        if (one.type === 'radio') {
            const group = `${one.name}/${one.form && one.form.action}`;
            if (seen.has(group)) continue;
            seen.add(group);
        }
        one.dataset.stop = number++;
    }
    return number;
}"""
_FOCUSED = """() => {
    const one = document.activeElement;
    if (!one || one === document.body) return null;
    // What has the focus then is a link in the sender's document, whose ring the browser draws itself.
    if (one.tagName === 'IFRAME') return {stop: null, isVisible: true, html: ''};
    const group = one.type === 'radio' && one.form
        ? [...one.form.elements].find((other) => other.name === one.name && other.dataset.stop !== undefined) : one;
    const style = getComputedStyle(one), box = one.getBoundingClientRect();
    const inside = box.right > 0 && box.bottom > 0 && box.top < innerHeight && box.left < innerWidth;
    const x = Math.min(Math.max(box.left + box.width / 2, 0), innerWidth - 1);
    const y = Math.min(Math.max(box.top + box.height / 2, 0), innerHeight - 1);
    const top = document.elementFromPoint(x, y);
    const covered = !top || !(one.contains(top) || top.contains(one) || top.tagName === 'LABEL');
    return {
        stop: (group && group.dataset.stop) ?? null,
        isVisible: inside && !covered && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
        html: one.outerHTML.slice(0, 160),
    };
}"""


def why_missing() -> str | None:
    """Say why no page can be opened here; None when one can."""
    return None if CHROMIUM.exists() else "Chromium is not installed (run tests/prepare)"


@dataclass
class Heard:
    """What a page said and asked for that it should not have."""

    origin: str
    complaints: list[str] = field(default_factory=list)
    forms: set[str] = field(default_factory=set)
    """The paths that forms were sent to."""
    refusals: set[int] = field(default_factory=set)
    """Statuses of 400 and above that the test means to see."""
    also: set[str] = field(default_factory=set)
    """Other origins that the test means to be asked."""

    def watch(self, page: Page) -> None:
        """Listen to a page from now on."""
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("request", self._asked)
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def _said(self, message: ConsoleMessage) -> None:
        # Chromium prints a line of its own for each answer of 400 and above, which ``_answered`` judges.
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource: the server"):
            self.complaints.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme != "data" and f"{parts.scheme}://{parts.netloc}" not in {self.origin, *self.also}:
            self.complaints.append(f"another host: {request.url}")
        if request.method == "POST":
            self.forms.add(parts.path)

    def _failed(self, request: Request) -> None:
        # What is saved and not shown ends as a navigation that was given up; so does a stream that is left.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"failed: {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.refusals:
            self.complaints.append(f"{response.status}: {response.url}")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium, without a window."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM,
            # Nothing is looked for outside; as root Chromium has no sandbox of its own.
            args=["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"],
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        try:
            yield browser
        finally:
            browser.close()


@cache
def axe_source() -> str:
    """Return axe-core."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


def found_by_axe(page: Page) -> list[str]:
    """Return what axe-core finds wrong with a page."""
    page.evaluate(axe_source())
    found: list[str] = page.evaluate(_AXE, _TAGS)
    return found


def too_wide(page: Page) -> list[str]:
    """Return what makes the page scroll sideways; tables and lines of code may do so in a box of their own."""
    found: list[str] = page.evaluate(_OVERFLOW)
    return found


def not_reached_by_keyboard(page: Page) -> list[str]:
    """Press Tab until the page is through; return what was not reached, or not seen to have the focus."""
    count: int = page.evaluate(_STOPS)
    problems: list[str] = []
    reached: set[str | None] = set()
    # A field for a date is several stops, and a frame is one.
    for _ in range(2 * count + 20):
        page.keyboard.press("Tab")
        focused = page.evaluate(_FOCUSED)
        if focused is None:
            continue
        reached.add(focused["stop"])
        if not focused["isVisible"]:
            problems.append(f"no visible focus: {focused['html']}")
        if len(reached - {None}) == count:
            break
    missed = [page.locator(f'[data-stop="{number}"]') for number in range(count) if str(number) not in reached]
    return [*problems, *(f"not reached: {one.evaluate('(one) => one.outerHTML')[:160]}" for one in missed)]


def context_of(
    browser: Browser,
    origin: str,
    *,
    script: bool = True,
    dark: bool = False,
    width: int = WIDE,
    believes_all: bool = False,
) -> BrowserContext:
    """Return one person's browser: nothing of another's is in it. ``believes_all`` takes any certificate."""
    return browser.new_context(
        base_url=origin,
        java_script_enabled=script,
        ignore_https_errors=believes_all,
        color_scheme="dark" if dark else "light",
        viewport={"width": width, "height": 800},
        locale="en-GB",
        reduced_motion="reduce",
    )
