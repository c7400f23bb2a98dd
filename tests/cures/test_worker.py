"""Findings about the scheduled worker, and that everything which tells of trouble tells it in the same words."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import MESSAGES, alice
from tests.cures.bench import Bench, Finding
from tests.faults import cut_tail
from tests.servers.pop3 import Pop3Server
from tests.servers.service_manager import ServiceManager
from tests.servers.smtp import SmtpServer

EVERY_SECOND = '[schedule]\nevery = "1 second"\n'


@pytest.fixture
def listen() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def mail() -> Iterator[SmtpServer]:
    with SmtpServer() as running:
        yield running


def installed(server: Pop3Server, listen: int, mail: SmtpServer, *, password: str = "", more: str = "") -> list[str]:
    """Return the tables of an installation whose worker is watched by everything that can watch."""
    smtp = (
        f'[notify]\nafter_failures = 1\n{more}[notify.smtp]\nhost = "localhost"\nport = {mail.port}\ntls = "none"\n'
        'sender = "ferry@example.org"\nto = ["ann@example.org"]\n'
    )
    metrics = f'[metrics]\nlisten = "127.0.0.1:{listen}"\n'
    return [EVERY_SECOND, metrics, smtp, alice(server.port, password=json.dumps(password or server.password))]


def healthz(port: int) -> dict[str, Any]:
    line = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        line.request("GET", "/healthz")
        document: dict[str, Any] = json.loads(line.getresponse().read())
    finally:
        line.close()
    return document


def serious(findings: list[Finding]) -> dict[str, str]:
    return {finding["id"]: finding["text"] for finding in findings if finding["severity"] != "hint"}


def test_worker_dead(bench: Bench, server: Pop3Server) -> None:
    bench.writes(EVERY_SECOND, alice(server.port))
    config = bench.folder / "config.toml"
    with ServiceManager(config, environment={"PASSWORD": server.password}) as manager:
        manager.start()
        manager.wait_for((bench.site.state / "worker.json").exists)
        manager.wait_for(lambda: not serious(bench.found_by("status")))
        bench.is_well()
        manager.kill()
        bench.no_machine_can(bench.finds("worker-dead", accounts=(), says="ended without being stopped"))
        assert bench.ferry("healthcheck").code == 1
        manager.start()
        manager.wait_for(lambda: bench.ferry("healthcheck").code == 0)
        bench.is_well()
        assert manager.stop() == 0
    bench.is_well()
    assert Counter(bench.site.stored()) == Counter(MESSAGES)


def test_worker_dead_and_not_wanted_any_more(bench: Bench, server: Pop3Server) -> None:
    bench.writes(EVERY_SECOND, alice(server.port))
    with ServiceManager(bench.folder / "config.toml", environment={"PASSWORD": server.password}) as manager:
        manager.start()
        manager.wait_for((bench.site.state / "worker.json").exists)
    bench.migrates()
    found = bench.finds("worker-dead", accounts=())
    path = Path(found["cure"]["text"].rpartition("delete ")[2])
    path.unlink()
    bench.is_well()


def test_configuration_refused(bench: Bench, server: Pop3Server) -> None:
    bench.writes(EVERY_SECOND, alice(server.port))
    good = (bench.folder / "config.toml").read_text()
    with ServiceManager(bench.folder / "config.toml", environment={"PASSWORD": server.password}) as manager:
        manager.start()
        manager.wait_for((bench.site.state / "worker.json").exists)
        (bench.folder / "config.toml").write_text(good + "\nnonsense = 1\n")
        manager.reload()

        def refused() -> list[Finding]:
            document = json.loads((bench.site.state / "worker.json").read_text())
            return [document] if document.get("refused_configuration") else []

        manager.wait_for(refused)
        # Every other command refuses the file, too; who has the former configuration sees the finding.
        former = bench.folder / "former.toml"
        former.write_text(good)
        former.chmod(0o600)
        bench.options = ("-c", "former.toml")
        bench.no_machine_can(bench.finds("configuration-refused", accounts=(), says="nonsense"))
        (bench.folder / "config.toml").write_text(good)
        manager.reload()
        manager.wait_for(lambda: not refused())
        bench.is_well()
        assert manager.stop() == 0


def _missing_disk(bench: Bench) -> None:
    (bench.folder / "archive").rename(bench.folder / "unmounted")


def _changed_volume(bench: Bench) -> None:
    [volume] = (bench.folder / "archive" / "alice").glob("*.mbox")
    cut_tail(volume, 500)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("finding", "harm"),
    [
        ("archive-missing", _missing_disk),
        ("archive-changed", _changed_volume),
        ("auth-refused", None),
        ("host-unreachable", None),
        ("disk-low", None),
    ],
)
def test_everything_says_the_same(  # the states in which the numbers of a person's day disagreed
    bench: Bench,
    server: Pop3Server,
    listen: int,
    mail: SmtpServer,
    finding: str,
    harm: Callable[[Bench], None] | None,
) -> None:
    password = "mistyped" if finding == "auth-refused" else ""
    more = 'disk_free = "900000 GB"\n' if finding == "disk-low" else ""
    bench.writes(*installed(server, listen, mail, password=password, more=more))
    with ServiceManager(bench.folder / "config.toml") as manager:
        if harm is not None:
            bench.migrates()
            harm(bench)
        if finding == "host-unreachable":
            server.stop()
        manager.start()
        manager.wait_for(lambda: finding in serious(healthz(listen)["findings"]))
        manager.wait_for(lambda: mail.taken)
        manager.wait_for(lambda: finding in (bench.site.state / "worker.json").read_text())
        told = {
            "healthz": serious(healthz(listen)["findings"]),
            "healthcheck": serious(bench.ferry("healthcheck", "--json").document["findings"]),
            "status": serious(bench.found_by("status")),
            "doctor": serious(bench.found_by("doctor")),
        }
        assert {source: set(found) for source, found in told.items()} == {source: {finding} for source in told}, told
        [words] = {found[finding] for found in told.values()}
        assert words in in_one_line(mail.taken[0].content)
        assert words in " ".join(bench.ferry("healthcheck", "--json").document["reasons"])
        assert manager.stop() == 0


def in_one_line(content: bytes) -> str:
    """Return the text of a mail without its line breaks."""
    from email import message_from_bytes, policy

    message = message_from_bytes(content, policy=policy.default)
    body = message.get_body(("plain",))
    assert body is not None
    return " ".join(body.get_content().split())
