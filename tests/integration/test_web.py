"""The page of a real ``run``, over loopback, beside a real POP3 server: from the first start to the receipts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.browser import Browser
from tests.integration.test_worker_process import MESSAGES, configuration
from tests.servers.pop3 import Maildrop, Pop3Server
from tests.servers.service_manager import ServiceManager

WEB = '[web]\nlisten = "127.0.0.1:0"\n'
PASSWORD = "correct horse battery"


def event(manager: ServiceManager, name: str) -> dict[str, str]:
    found: list[dict[str, str]] = []

    def is_said() -> bool:
        lines = [line for line in manager.log.splitlines() if line.startswith("{") and line.endswith("}")]
        found[:] = [said for said in map(json.loads, lines) if said["event"] == name]
        return bool(found)

    manager.wait_for(is_said)
    return found[0]


@contextmanager
def running(folder: Path, server: Pop3Server) -> Iterator[tuple[ServiceManager, Browser]]:
    path = configuration(folder, server.port, password=server.password, every="1 hour", more=WEB)
    with ServiceManager(path) as manager:
        manager.start()
        browser = Browser(int(urlsplit(event(manager, "web.listening")["url"]).port or 0))
        yield manager, browser
        assert manager.stop() == 0


def test_an_office_signs_in_looks_pauses_and_reads_its_receipts(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(MESSAGES)) as server, running(tmp_path, server) as (manager, browser):
        token = event(manager, "web.setup")["token"]
        welcome = browser.follow(browser.get("/"))
        signed_in = browser.send(welcome.form("/setup"), token=token, name="Ann", password=PASSWORD)
        assert (signed_in.status, signed_in.location) == (303, "/")
        manager.wait_for(lambda: not server.maildrop.left())
        manager.wait_for(lambda: "worker.run.finished" in manager.log)

        overview = browser.get("/")
        assert overview.status == 200
        assert "alice" in overview.text

        mailbox = browser.get("/accounts/alice")
        assert "A message is deleted at the provider as soon as every copy of it is proven." in mailbox.text
        paused = browser.send(mailbox.form("/accounts/alice/pause"))
        assert (paused.status, paused.location) == (303, "/accounts/alice?said=paused")
        assert "This mailbox is paused" in browser.follow(paused).text
        manager.wait_for(lambda: "worker.account.paused" in manager.log)
        assert "paused" in browser.get("/").text
        resumed = browser.send(browser.get("/accounts/alice").form("/accounts/alice/resume"))
        assert resumed.status == 303
        manager.wait_for(lambda: "worker.account.resumed" in manager.log)

        seen = len(server.logins)
        asked = browser.send(browser.get("/accounts/alice").form("/accounts/alice/run"))
        assert asked.status == 303
        manager.wait_for(lambda: len(server.logins) > seen)

        receipts = browser.get("/receipts?account=alice")
        assert receipts.text.count("<tr>") == len(MESSAGES) + 1
        document = json.loads(browser.get("/receipts.json").body)
        assert len(document["receipts"]) == len(MESSAGES)
        table = browser.get("/receipts.csv").text.splitlines()
        assert len(table) == len(MESSAGES) + 1
        digest = document["receipts"][0]["digest"]
        assert browser.get(f"/receipts?digest={digest[:16]}").text.count("<tr>") == 2
        assert token not in (tmp_path / "state" / "web.sqlite3").read_bytes().decode("latin-1")


def test_a_parked_mailbox_says_so_and_is_tried_at_once_when_asked(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(MESSAGES)) as server:
        path = configuration(tmp_path, server.port, password="wrong", every="1 hour", more=WEB)
        with ServiceManager(path) as manager:
            manager.start()
            browser = Browser(int(urlsplit(event(manager, "web.listening")["url"]).port or 0))
            token = event(manager, "web.setup")["token"]
            browser.send(browser.get("/setup").form("/setup"), token=token, name="Ann", password=PASSWORD)
            manager.wait_for(lambda: "worker.account.parked" in manager.log)
            mailbox = browser.get("/accounts/alice")
            assert "Its log-in was refused" in mailbox.text
            before = manager.log.count("worker.run.started")
            browser.send(mailbox.form("/accounts/alice/run"))
            manager.wait_for(lambda: manager.log.count("worker.run.started") > before)
            assert manager.stop() == 0


def test_a_port_that_is_taken_ends_the_start_with_its_reason(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(MESSAGES)) as server:
        more = f'[web]\nlisten = "127.0.0.1:{server.port}"\n'
        path = configuration(tmp_path, server.port, password=server.password, more=more)
        with ServiceManager(path) as manager:
            manager.launch()
            manager.wait_for(lambda: "cannot be used" in manager.log)
            assert "[web] listen" in manager.log


def test_what_signing_in_needs_and_is_not_installed_ends_the_start_and_doctor_says_so(tmp_path: Path) -> None:
    more = f'{WEB}[web.oidc]\nissuer = "https://id.example.org"\nclient_id = "page"\n'
    config = configuration(tmp_path, 1, password="x", more=more)
    lacking = 'import sys; sys.modules["joserfc"] = None; from migrator.cli.main import main; sys.exit(main())'
    for command, code in (("run", 2), ("doctor", 1)):
        words = [sys.executable, "-c", lacking, command, "-c", str(config)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert "pip install 'mailferry[oidc]'" in done.stdout + done.stderr
        assert done.returncode == code


def test_a_mailbox_is_added_and_worked(tmp_path: Path) -> None:
    with (
        Pop3Server(Maildrop(MESSAGES)) as old,
        Pop3Server(Maildrop(MESSAGES)) as server,
        running(tmp_path, old) as (manager, browser),
    ):
        token = event(manager, "web.setup")["token"]
        browser.send(browser.get("/setup").form("/setup"), token=token, name="Ann", password=PASSWORD)
        fields: dict[str, str | list[str]] = {
            "csrf": browser.get("/").form("/sign-out").fields["csrf"],
            "address": "carla@example.org",
            "host": "127.0.0.1",
            "port": str(server.port),
            "tls": "none",
            "username": "carla",
        }
        refused = browser.post("/add", {**fields, "password": "wrong password"})
        assert refused.status == 422
        assert "wrong password" not in refused.text
        assert not (tmp_path / "accounts.d").exists()
        assert refused.form("/add").fields["host"] == "127.0.0.1"
        places = browser.follow(browser.post("/add", {**fields, "password": server.password}))
        form = places.form("/add/places")
        wanted = {"name": "carla", "folder": str(tmp_path / "archive-of-carla")}
        added = browser.send(form, **wanted)
        assert (added.status, added.location) == (303, "/accounts/carla?said=added"), added.text
        manager.wait_for(lambda: "carla" in browser.get("/").text)
        manager.wait_for(lambda: len(archived_in(tmp_path / "archive-of-carla")) == len(MESSAGES))
        assert len(server.maildrop.left()) == len(MESSAGES)
        assert server.password not in (tmp_path / "accounts.d" / "carla.toml").read_text()
        assert server.password not in manager.log
        again = browser.follow(browser.post("/add", {**fields, "password": server.password}))
        assert browser.send(again.form("/add/places"), **wanted).status == 422


def archived_in(folder: Path) -> list[bytes]:
    return [
        line for path in folder.glob("*.mbox") for line in path.read_bytes().splitlines() if line.startswith(b"From ")
    ]
