"""A whole installation: a maildrop, places, a configuration, a clock, and a command line that is held to the laws."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.model.laws import Laws, Run
from tests.model.ledgers import Ledgers
from tests.model.places import FolderPlace, ImapPlace, Mail, MaildirPlace, MboxPlace, Place, same, short
from tests.model.source import FAULTS, Post, UniqueIds, Watch
from tests.model.stage import Order, Played, Stage
from tests.servers.imap import (
    Answers as ImapAnswers,
    DropInside,
    DropUnanswered as ImapDropUnanswered,
    ImapCommand,
    ImapFault,
    ImapServer,
)
from tests.servers.pop3 import Pop3Server
from tests.servers.pop3_session import Fault

DAY = 86_400.0
IMAP_FAULTS: dict[str, Callable[[int], Sequence[ImapFault]]] = {
    "none": lambda _: [],
    "APPEND unanswered": lambda _: [ImapDropUnanswered("APPEND", times=1)],
    "cut inside APPEND": lambda n: [DropInside("APPEND", times=1, after=20 + 40 * n)],
    "APPEND refused": lambda n: [ImapAnswers("APPEND", times=1 + n % 3, words=b"NO [OVERQUOTA] full")],
    "FETCH unanswered": lambda n: [ImapDropUnanswered("UID FETCH", times=1, skip=n % 3)],
}


MEANWHILE = ("renewed meanwhile", "taken meanwhile")


@dataclass
class Meanwhile(ImapFault):
    """Somebody does something to a mailbox when the server has heard so many commands of a run."""

    commands: int
    act: Callable[[], None]

    def instead(self, command: ImapCommand) -> bytes | None:
        del command
        self.commands -= 1
        if not self.commands:
            self.act()
        return None


@dataclass
class Settings:
    """What stands in the configuration."""

    configured: list[str]
    leave: str = "false"
    proof: str = "content"
    imap_proof: str = "exact"
    state: str = "state"
    source_host: str = "127.0.0.1"
    spelled: dict[str, int] = field(default_factory=dict)
    has_bob: bool = False
    gone: str = "keep"


class World:
    """One history's world below ``folder``. ``log`` tells what happened, for people."""

    def __init__(self, folder: Path, stage: Stage, seed: int, destinations: Sequence[str], usable: str) -> None:
        self.folder = folder
        self.log: list[str] = []
        self.usable = usable
        self.chance = Random(seed)
        self.post = Post()
        self.mail = Mail()
        self.unique_ids, self.watch = UniqueIds(), Watch()
        self.now = 1_790_000_000.0
        self.settings = Settings(list(destinations))
        self._stage = stage
        self.ledgers = Ledgers(folder, stage.postgres)
        self._stack = ExitStack()
        self.server = self._stack.enter_context(Pop3Server(self.post.maildrops))
        self._imap: list[ImapServer] = []
        self._ports = [0, 0]
        self._password = self.server.password
        self.places: dict[str, Place] = {
            "a": MboxPlace("a", folder),
            "b": MaildirPlace("b", folder),
            "c": ImapPlace("c", self.mail),
            "d": ImapPlace("d", self.mail, b"Archive"),
            "e": MboxPlace("e", folder),
            "restored": ImapPlace("restored", self.mail, b"Restored"),
        }
        self.laws = Laws(self)
        self.always: Sequence[Fault] = ()
        """What is wrong with the source until further notice."""
        (folder / "sub").mkdir(parents=True)
        (folder / "password").write_text(self._password)
        self.set_servers()

    def close(self) -> None:
        """Stop the servers and remove everything."""
        self.server.violations.clear()
        for server in self._imap:
            server.stop()
        self._stack.close()
        self.ledgers.close()
        shutil.rmtree(self.folder)

    def say(self, line: str) -> None:
        """Note what happens."""
        self.log.append(line)

    @property
    def configured(self) -> list[Place]:
        """The places that stand in the configuration."""
        return [self.places[name] for name in self.settings.configured]

    def place(self, n: int) -> Place:
        """One of the configured places."""
        return self.configured[n % len(self.configured)]

    @property
    def state(self) -> Path:
        """The state folder that is in use."""
        return self.folder / self.settings.state

    @property
    def imap_port(self) -> int:
        """One of the two ports of the IMAP server."""
        return self._ports[0]

    def url(self, place: Place) -> str:
        """Say where a place is, as ``moved`` wants it."""
        if isinstance(place, ImapPlace):
            return f"imap://alice@localhost:{self.imap_port}/{place.folder.decode()}"
        assert isinstance(place, FolderPlace)
        return str(place.path)

    def bring_back(self, place: Place) -> None:
        """Let a place be there again."""
        had_other = isinstance(place, FolderPlace) and place.path.is_dir()
        place.come_back()
        self.set_servers()
        how = ", merged with what was made meanwhile" if had_other else " unchanged"
        self.say(f"person: {place.name} comes back{how}")

    def set_servers(self) -> None:
        """Start or stop the IMAP server, as it is to be up or down."""
        if self.mail.is_up and not self._imap:
            self._imap = [ImapServer(self.mail.mailboxes, password=self._password, port=port) for port in self._ports]
            self._ports = [server.port for server in self._imap]
        elif not self.mail.is_up:
            for server in self._imap:
                server.stop()
            self._imap = []

    def dry_run(self) -> None:
        """Look at what a run would do, which must leave every byte as it is."""
        self.server.faults = (self.unique_ids, *self.always, self.watch)
        self._write_configuration()
        before = self._files()
        self.command(["migrate", "--dry-run", "--json"])
        self.laws.nothing_changed(before, self._files())

    def _files(self) -> dict[str, bytes]:
        """Every file there is, and what the ledger says: SQLite may tidy up after a process that was killed."""
        paths = [
            path for path in self.folder.rglob("*") if path.is_file() and not path.name.startswith("ledger.sqlite3")
        ]
        files = {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}
        if not self.ledgers.is_in_files():
            files["ledger"] = self.ledgers.content(self.settings.state)
        if (self.state / "ledger.sqlite3").is_file():
            copy = self.folder.with_name(f"{self.folder.name}-ledger")
            shutil.copytree(self.state, copy)
            with closing(sqlite3.connect(copy / "ledger.sqlite3")) as ledger:
                files["ledger"] = "\n".join(ledger.iterdump()).encode("utf-8", "surrogateescape")
            shutil.rmtree(copy)
        return files

    def migrate(
        self,
        pop3: str,
        imap: str,
        *,
        magnitude: int = 0,
        dies_at: int = 0,
        always: Sequence[Fault] = (),
        limits: Sequence[str] = (),
    ) -> Played:
        """Run once, with faults at the ends and perhaps a violent end."""
        self.server.faults = (self.unique_ids, *FAULTS[pop3](magnitude), *always, *self.always, self.watch)
        for server in self._imap:
            server.faults = tuple(self._imap_faults(imap, magnitude))
        words = [f"source: {pop3} ({magnitude})"] * (pop3 != "none") + [f"imap: {imap} ({magnitude})"] * (
            imap != "none"
        )
        if pop3 == "wrong sizes":
            self.laws.memory.may_report |= {"short", "changed"}
        most = int(limits[1]) if limits[:1] == ["--max-delete"] else None
        run = Run(fault=pop3, deletes_at_most=most, is_whole=not limits)
        played = self.command(["migrate", "--json", *limits], dies_at=dies_at, note="; ".join(words), run=run)
        self.server.faults = (self.unique_ids, self.watch)
        for server in self._imap:
            server.faults = ()
        return played

    def _imap_faults(self, name: str, magnitude: int) -> Sequence[ImapFault]:
        if name not in MEANWHILE:
            return IMAP_FAULTS[name](magnitude)
        places = [place for place in self.configured if isinstance(place, ImapPlace)]
        if not places:
            return []
        place = places[magnitude % len(places)]

        def take() -> None:
            if (content := place.take_one(self.chance)) is not None:
                self.laws.taken_meanwhile.add((place.name, same(content)))
                self.say(f"person: takes {short(content)} out of {place.name} during the run")

        return [Meanwhile(8 + 3 * magnitude, place.renew if name == "renewed meanwhile" else take)]

    def command(self, arguments: list[str], *, dies_at: int = 0, note: str = "", run: Run | None = None) -> Played:
        """Play a command line and hold the world to its laws."""
        self._write_configuration()
        self.watch.seen.clear()
        self.laws.taken_meanwhile.clear()
        before = self.laws.look()
        played = self._stage.play(Order(arguments, str(self.folder), self.now, dies_at))
        self.ledgers.a_minute_passes(self.settings.state)
        self.now += 60.0
        ended = f"killed at call {dies_at}" if played.was_killed else f"exit {played.code}"
        kinds = self._told(played) if run else ""
        self.say(f"$ mailferry {' '.join(arguments)}    # {ended}{kinds}" + (f"  [{note}]" if note else ""))
        self.laws.judge(arguments, played, before, run)
        return played

    @staticmethod
    def _told(played: Played) -> str:
        if played.was_killed or not played.out.startswith("{"):
            return ""
        told = ""
        for account in json.loads(played.out).get("accounts", []):
            errors = [f"{error['kind']}: {error['message'][:90]}" for error in account.get("errors", [])]
            numbers = {
                key: account.get(key) for key in ("listed", "known", "copied", "duplicates", "failed", "deleted")
            }
            told += f" {account['name']}: {account.get('status')} {numbers} {errors}"
        return told

    def _write_configuration(self) -> None:
        text = f'state_dir = "{self.settings.state}"\n'
        if address := self.ledgers.address(self.settings.state):
            text += f'ledger = "{address}"\n'
        for user in ("alice", "bob") if self.settings.has_bob else ("alice",):
            text += self._account_tables(user)
            text += "".join(
                f"[[accounts.destinations]]\n{self.destination_table(place)}\n" for place in self.configured
            )
        path = self.folder / "config.toml"
        path.write_text(text)
        path.chmod(0o600)

    def _account_tables(self, user: str) -> str:
        settings = self.settings
        return f"""[[accounts]]
name = "{user}"
[accounts.source]
host = "{settings.source_host}"
port = {self.server.port}
tls = "none"
username = "{user}"
password = "{self._password}"
timeout = "2 seconds"
leave_on_server = {settings.leave}
proof_before_delete = "{settings.proof}"
"""

    def destination_table(self, place: Place) -> str:
        spelled = self.settings.spelled.get(place.name, 0)
        gone = f'\nwhen_copy_is_gone = "{self.settings.gone}"' if place.kind != "mbox" else ""
        if isinstance(place, ImapPlace):
            return self._imap_table(place, spelled) + gone
        assert isinstance(place, FolderPlace)
        name = place.path.name
        link = self.folder / f"to-{place.name}"
        link.unlink(missing_ok=True)
        link.symlink_to(place.path)
        path = (name, f"./{name}/", f"sub/../{name}", str(place.path), link.name)[spelled % 5]
        return f'type = "{place.kind}"\npath = "{path}"{gone}'

    def _imap_table(self, place: ImapPlace, spelled: int) -> str:
        folder, (first, second) = place.folder.decode(), self._ports
        host, port, folder = (
            ("localhost", first, folder),
            ("LOCALHOST", first, folder),
            ("localhost", first, "inbox" if folder == "INBOX" else folder),
            ("localhost", second, folder),
            ("127.0.0.1", first, folder),
        )[spelled % 5]
        return (
            f'type = "imap"\nhost = "{host}"\nport = {port}\ntls = "none"\nusername = "alice"\n'
            f'password = "{self._password}"\nfolder = "{folder}"\nproof = "{self.settings.imap_proof}"\ntimeout = "2 seconds"'
        )

    def finish(self) -> None:
        """Bring everything back, run calmly, and see that nothing is stuck."""
        self.always = ()
        self.say("-- everything is up and there; calm runs")
        for place in self.places.values():
            if place.is_away:
                self.bring_back(place)
        played = [self._calm_run() for _ in range(3)][-1]
        if self.command(["verify", "--json"]).code or played.code:
            self.command(["repair"])
            played = [self._calm_run() for _ in range(2)][-1]
        self.laws.calm_end(played, self.laws.kinds_of(played))
        if played.code == 0:
            self.laws.cured(self.command(["verify", "--json"]))

    def _calm_run(self) -> Played:
        self.now += DAY
        return self.migrate("none", "none")
