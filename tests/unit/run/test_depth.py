"""How deep one has to read: the calls from "run these accounts" to the first RETR."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from migrator.ledger import Ledger
from migrator.net.tls import TlsMode, TlsSettings
from migrator.policy import Policy
from migrator.pop3.server_profile import ServerProfile
from migrator.pop3.session import Session, open_session
from migrator.pop3.source import Source
from migrator.pop3.transport import Saying, ScriptedStream
from migrator.run.accounts import run_accounts
from migrator.run.context import AccountJob, Effects
from tests.memory_destination import MemoryDestination
from tests.unit.pop3.scripted import Maildrop, sample

MOST = 7


def test_at_most_seven_calls_lead_from_the_accounts_to_the_first_retr(tmp_path: Path) -> None:
    seen: list[list[str]] = []
    drop = Maildrop([sample(1)])

    def script(line: bytes) -> Iterator[Saying]:
        if line.startswith(b"RETR"):
            seen.append(functions_of_ours())
        return drop(line)

    def scripted(source: Source, password: Callable[[], str], profile: ServerProfile, **_: object) -> Session:
        return open_session(source, password, profile, connect=lambda *_, **__: ScriptedStream(script))

    source = Source("localhost", 110, TlsSettings(TlsMode.NONE), "alice")
    job = AccountJob("alice", source, lambda: "secret", Policy(), [MemoryDestination("one")], tmp_path)
    with closing(Ledger.open(tmp_path)) as ledger:
        [report] = run_accounts([job], ledger, Effects(open_session=scripted))
    assert (report.status, report.copied) == ("ok", 1)
    way = seen[0][: seen[0].index("Session.retrieve") + 1]
    # An account runs in a thread of its own, which does not show who started it.
    way = ["run_accounts", *way]
    assert len(way) <= MOST, " > ".join(way)


def functions_of_ours() -> list[str]:
    """Return the functions of the program that are under way in this thread, the outermost first.

    A comprehension, a frame of its own in Python 3.11, is none.
    """
    frames = [frame.frame for frame in inspect.stack()[::-1]]
    inside = f"{Path(inspect.getfile(run_accounts)).parents[1]}/"
    names = [frame.f_code.co_qualname for frame in frames if frame.f_code.co_filename.startswith(inside)]
    return [name for name in names if not name.endswith("comp>")]
