"""The programs under comparison: how each is told to do one job, and what it guarantees for its time."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.measure import Command
from tests.servers.process import give_to, unprivileged_user


@dataclass(frozen=True, slots=True)
class Place:
    """A server on loopback, and the user there."""

    port: int
    user: str
    password: str
    is_encrypted: bool = False
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """Mail to be moved from ``source``, to ``target`` if there is one, else into ``folder``, which is the job's own."""

    source: Place
    folder: Path
    target: Place | None = None
    deletes: bool = False
    kind: str = "mbox"
    users: tuple[str, ...] = ()
    """The maildrops, if they are several."""
    talks: bool = False
    """Whether ours says each step, so that it can be seen when the first message is proven."""


@dataclass(frozen=True, slots=True)
class Program:
    """``accounts`` is over how many maildrops its messages are spread."""

    name: str
    command: Callable[[Job], Command]
    guarantees: str
    needs: str = sys.executable
    accounts: int = 1
    is_ours: bool = False

    def has_answered(self, folder: Path) -> bool:
        """Whether the first message is there: proven and recorded by ours, written by another program."""
        if self.is_ours:
            return b"batch.copied" in (folder / "log").read_bytes()
        archive = folder / "archive"
        return archive.exists() and archive.stat().st_size > 0

    @property
    def is_there(self) -> bool:
        """Whether it can be run here."""
        return shutil.which(self.needs) is not None


def mailferry(job: Job) -> Command:
    """Ours, by its command line and a configuration file."""
    config = job.folder / "config.toml"
    places = [replace(job.source, user=user) for user in job.users or (job.source.user,)]
    config.write_text('state_dir = "state"\n' + "".join(_account(place.user, place, job) for place in places))
    config.chmod(0o600)
    program = Path(sys.executable).with_name("mailferry")
    return Command([str(program), "migrate", "-c", str(config), "--json", *(["-vv"] if job.talks else [])])


def _account(name: str, source: Place, job: Job) -> str:
    keys = f"{_server(source)}leave_on_server = {'false' if job.deletes else 'true'}\n"
    if job.target:
        destination = f'type = "imap"\n{_server(job.target)}folder = "INBOX"\n'
    else:
        destination = f'type = "{job.kind}"\npath = "archive/{name}"\n'
    return f'[[accounts]]\nname = "{name}"\n[accounts.source]\n{keys}[[accounts.destinations]]\n{destination}'


def _server(place: Place) -> str:
    tls = f'tls = "implicit"\nca_file = "{place.ca_file}"' if place.is_encrypted else 'tls = "none"'
    address = f'host = "127.0.0.1"\nport = {place.port}\n{tls}\n'
    return f'{address}username = "{place.user}"\npassword = {json.dumps(place.password)}\n'


def drain(job: Job) -> Command:
    """Write what comes to one file: the limit."""
    options = ["--delete"] if job.deletes else []
    return _drained(job, options)


def drained_listing(job: Job) -> Command:
    """Take both listings into memory: the limit of a poll."""
    return _drained(job, ["--list"])


def _drained(job: Job, options: list[str]) -> Command:
    source = job.source
    argv = [sys.executable, "-m", "benchmarks.drain", "127.0.0.1", str(source.port), source.user]
    options = [*options, "--tls"] if source.is_encrypted else options
    environment = {"POP3_PASSWORD": source.password, "POP3_CA_FILE": str(source.ca_file)}
    return Command([*argv, str(job.folder / "drained"), *options], environment)


def mpop(job: Job) -> Command:
    """Into one mbox; with ``maildir`` into a Maildir."""
    source = job.source
    target = job.folder / "archive"
    if job.kind == "maildir":
        for name in ("cur", "new", "tmp"):
            (target / name).mkdir(parents=True, exist_ok=True)
    tls = f"tls on\ntls_starttls off\ntls_trust_file {source.ca_file}" if source.is_encrypted else "tls off"
    config = job.folder / "mpoprc"
    config.write_text(
        f"account bench\nhost 127.0.0.1\nport {source.port}\nuser {source.user}\npassword {source.password}\n"
        f"auth user\n{tls}\nkeep {'off' if job.deletes else 'on'}\ndelivery {job.kind} {target}\n"
        f"uidls_file {job.folder / 'uidls'}\nreceived_header off\n"
    )
    config.chmod(0o600)
    return Command(["mpop", "-q", "-C", str(config), "bench"])


def fetchmail(job: Job) -> Command:
    """With ``cat`` as its delivery agent, the fastest there is."""
    source = job.source
    config = job.folder / "fetchmailrc"
    config.write_text(
        f"set no bouncemail\npoll 127.0.0.1 protocol pop3 port {source.port} auth password uidl\n"
        f"user {source.user} password {source.password} sslproto ''\n"
        f'{"nokeep" if job.deletes else "keep"} fetchall mda "cat >> {job.folder / "archive"}"\n'
    )
    config.chmod(0o600)
    environment = {"FETCHMAILHOME": str(job.folder)}
    return Command(["fetchmail", "--silent", "--nosyslog", "-f", str(config)], environment)


def getmail(job: Job) -> Command:
    """Into one mbox (mboxrd), which it refuses to write as root."""
    source = job.source
    target = job.folder / "archive"
    target.touch(mode=0o600)
    user = unprivileged_user()
    give_to(user, job.folder, target)
    config = job.folder / "getmailrc"
    config.write_text(
        f"[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\nport = {source.port}\n"
        f"username = {source.user}\npassword = {source.password}\n"
        f"[destination]\ntype = Mboxrd\npath = {target}\n{f'user = {user}' if user else ''}\n"
        f"[options]\nread_all = true\ndelete = {'true' if job.deletes else 'false'}\nverbose = 0\n"
        "delivered_to = false\nreceived = false\n"
    )
    return Command(["getmail", f"--getmaildir={job.folder}", f"--rcfile={config}"])


def poplib_loop(job: Job) -> Command:
    """Do it as a script of ten lines does."""
    return _loop(job, "mbox", str(job.folder / "archive"))


def append_loop(job: Job) -> Command:
    """Do it as a script of ten lines does that appends by IMAP."""
    assert job.target
    return _loop(job, "imap", str(job.target.port), job.target.user)


def _loop(job: Job, kind: str, *where: str) -> Command:
    source = job.source
    argv = [sys.executable, "-m", "benchmarks.loops", kind, str(source.port), source.user, *where]
    return Command(argv, {"POP3_PASSWORD": source.password})


def mbsync(job: Job) -> Command:
    """Upload the Maildir ``near`` in the job's folder: not from POP3, so its work is half of ours."""
    assert job.target
    config = job.folder / "mbsyncrc"
    config.write_text(
        f"IMAPAccount bench\nHost 127.0.0.1\nPort {job.target.port}\nUser {job.target.user}\n"
        f"Pass {job.target.password}\nSSLType None\nAuthMechs LOGIN\n\nIMAPStore far\nAccount bench\n\n"
        f"MaildirStore near\nInbox {job.folder / 'near'}\n\n"
        f"Channel up\nFar :far:\nNear :near:\nPatterns INBOX\nSync Push\nSyncState {job.folder}/sync-\n"
    )
    return Command(["mbsync", "-q", "-c", str(config), "up"])


OURS = Program(
    "mailferry",
    mailferry,
    "every copy durable, read back from the disk or server and compared; nothing twice after a crash",
    is_ours=True,
)
SPREAD = replace(OURS, name="mailferry, 100 accounts", accounts=100)
DRAIN = Program("raw drain", drain, "nothing: the limit that server and socket set")
LISTING = Program("raw listing", drained_listing, "nothing: the limit that the server sets")
MPOP = Program("mpop", mpop, "one fsync per message; nothing is read back, state is saved at the end", needs="mpop")
FETCHMAIL = Program(
    "fetchmail, cat",
    fetchmail,
    "none: neither fsync nor lock, and the file is no mailbox",
    needs="fetchmail",
)
GETMAIL = Program("getmail6", getmail, "one fsync per message; state is saved at the end", needs="getmail")
POPLIB = Program("poplib script", poplib_loop, "none: no fsync, no state")
APPEND_LOOP = Program("poplib + append loop", append_loop, "the server's OK for each message; no state")
MBSYNC = Program(
    "mbsync upload",
    mbsync,
    "the server's OK for each message; its state file; reads a Maildir, not POP3",
    needs="mbsync",
)
