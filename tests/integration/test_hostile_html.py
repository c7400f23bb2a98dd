"""The attack kinds in a real Chromium and a real Firefox: each layer alone, both together, and a frame without any as the control.

A request to ``evil.test`` is a load; a script that ran says so to the page around its frame, which no policy of the frame
keeps it from, and that page tells the server. Every name is led to a server on loopback that counts both; that the
control makes it count is what shows that it would hear of anything.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from jobs.web.screens.message import SANDBOX, document, layout_headers
from migrator.parse.layout import Layout, cleaned
from migrator.parse.link_hosts import with_hosts
from tests.unit.parse.attacks import ATTACKS

pytestmark = pytest.mark.slow

HOLD_SECONDS = 6.0
"""How long a picture keeps Firefox from taking its own: it has no other way to wait for what frames do."""

KINDS = {f"k{number}": kind for number, kind in enumerate(ATTACKS)}
LAYERS = ("control", "filter alone", "policy and sandbox alone", "both")


def armed(label: str) -> str:
    """Return an attack whose script, where it runs, says its label to the top; it is written without quotes or blanks."""
    script = f"top.postMessage(String.fromCharCode({','.join(str(ord(one)) for one in label)}),String.fromCharCode(42))"
    attack = re.sub(r"(parent\.)?pwned\(\d\)", script, ATTACKS[KINDS[label]])
    return attack.replace("http://evil.test", f"http://{label}.evil.test").replace(
        "//evil.test", f"//{label}.evil.test"
    )


@dataclass
class Heard:
    scripts: set[str] = field(default_factory=set)
    loads: set[str] = field(default_factory=set)
    opened: set[str] = field(default_factory=set)
    is_over: threading.Event = field(default_factory=threading.Event)


def answer_to(layer: str, label: str) -> tuple[str, Mapping[str, str]]:
    html = armed(label)
    if layer in {"filter alone", "both"}:
        html = with_hosts(cleaned(html))
    if layer == "control":
        return html, {}
    return document(Layout(html)), {} if layer == "filter alone" else layout_headers(loads_pictures=False)


def index_of(layer: str) -> str:
    limits = f'sandbox="{escape(SANDBOX)}"' if layer in {"policy and sandbox alone", "both"} else ""
    frames = "".join(f'<iframe {limits} src="/{layer.replace(" ", "-")}/{label}"></iframe>' for label in KINDS)
    listener = "<script>onmessage = (said) => fetch('/pwned/' + said.data)</script>"
    return f'<!doctype html><title>frames</title>{listener}{frames}<img src="/slow.png">'


def server_of(heard: Heard) -> type[BaseHTTPRequestHandler]:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # Firefox takes this server for its proxy, and writes whole addresses.
            host = urlsplit(self.path).hostname or (self.headers.get("host") or "").partition(":")[0]
            path = urlsplit(self.path).path
            if host.endswith("evil.test"):
                heard.loads.add(KINDS[host.partition(".")[0]])
                self._send("", {"Content-Type": "text/plain", "Access-Control-Allow-Origin": "*"})
                return
            layer, _, label = path.strip("/").partition("/")
            layer = layer.replace("-", " ")
            if layer == "pwned":
                heard.scripts.add(KINDS[label])
                self._send("", {})
            elif layer == "slow.png":
                heard.is_over.wait(HOLD_SECONDS if "Firefox" in self.headers["user-agent"] else 0)
                self._send("", {})
            elif layer in LAYERS and label in KINDS:
                heard.opened.add(label)
                self._send(*answer_to(layer, label))
            elif layer in LAYERS:
                self._send(index_of(layer), {})
            else:
                self._send("", {})

        def _send(self, text: str, headers: Mapping[str, str]) -> None:
            body = text.encode("utf-8", "replace")
            self.send_response(200)
            for name, value in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
            pass

    return Answers


def in_chromium(folder: Path, port: int, address: str) -> Sequence[str]:
    return [
        "chromium",
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-features=LocalNetworkAccessChecks",
        f"--host-resolver-rules=MAP *.evil.test 127.0.0.1:{port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--user-data-dir={folder / 'profile'}",
        "--virtual-time-budget=5000",
        "--dump-dom",
        address,
    ]


def in_firefox(folder: Path, port: int, address: str) -> Sequence[str]:
    profile = folder / "profile"
    profile.mkdir()
    settings: Mapping[str, str | int | bool] = {
        "network.proxy.type": 1,
        "network.proxy.http": "127.0.0.1",
        "network.proxy.http_port": port,
        "network.proxy.ssl": "127.0.0.1",
        "network.proxy.ssl_port": port,
        "network.lna.enabled": False,
        "network.captive-portal-service.enabled": False,
        "network.connectivity-service.enabled": False,
        "dom.security.https_first": False,
        "dom.security.https_only_mode": False,
        "app.update.disabledForTesting": True,
        "browser.shell.checkDefaultBrowser": False,
        "datareporting.policy.dataSubmissionEnabled": False,
        "media.autoplay.default": 0,
    }
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in settings.items()]
    (profile / "user.js").write_text("".join(lines))
    shown = str(folder / "shown.png")
    return ["firefox-esr", "--headless", "--no-remote", "--profile", str(profile), "--screenshot", shown, address]


BROWSERS = {"chromium": in_chromium, "firefox-esr": in_firefox}
Opened = Callable[[str], Heard]


@pytest.fixture(params=list(BROWSERS))
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """Open a layer in a browser; returns what was heard of it."""
    if shutil.which(request.param) is None:
        pytest.skip(f"there is no {request.param} (run tests/prepare)")
    heard = Heard()
    server = ThreadingHTTPServer(("127.0.0.1", 0), server_of(heard))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    port = server.server_address[1]

    def open_layer(layer: str) -> Heard:
        arguments = BROWSERS[request.param](tmp_path, port, f"http://127.0.0.1:{port}/{layer.replace(' ', '-')}/")
        home = {**os.environ, "HOME": str(tmp_path)}
        subprocess.run(arguments, capture_output=True, timeout=240, check=True, stdin=subprocess.DEVNULL, env=home)
        assert heard.opened == set(KINDS)
        return heard

    yield open_layer
    heard.is_over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_without_any_layer_scripts_run_and_pictures_load(opened: Opened) -> None:
    heard = opened("control")
    assert len(heard.scripts) >= 12, sorted(heard.scripts)
    assert len(heard.loads) >= 20, sorted(heard.loads)


@pytest.mark.parametrize("layer", LAYERS[1:])
def test_each_layer_alone_keeps_mail_from_acting_and_loading(layer: str, opened: Opened) -> None:
    heard = opened(layer)
    assert (heard.scripts, heard.loads) == (set(), set())
