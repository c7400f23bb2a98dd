"""The demo itself: real runs against the small server, each told in a few lines, and the proof that all adds up."""

from __future__ import annotations

import secrets
import shlex
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from migrator import config
from migrator.archive.verification import Selection
from migrator.archive.verify import Check
from migrator.demo.outcome import Comparison, DemoOutcome
from migrator.demo.place import ACCOUNT, Place
from migrator.demo.samples import samples
from migrator.demo.server import Maildrop, serving
from migrator.ledger import Ledger
from migrator.operations.account_list import pause, resume
from migrator.report import AccountReport
from migrator.run.accounts import run_accounts
from migrator.run.context import Effects
from migrator.ui.console import Console, Style
from migrator.ui.text import plural, size, span
from migrator.wiring.account import job_of
from migrator.wiring.archive import open_archive

_WIDTH = 78
_INDENT = "   "


class Story:
    """One demo in one folder, told on one screen."""

    def __init__(self, place: Place, screen: Console, stop: threading.Event, *, program: str = "mailferry") -> None:
        """Prepare; nothing is touched yet. ``stop`` ends a run as Ctrl-C does, ``program`` is what a person types."""
        self._program = program
        self._place = place
        self._screen = screen
        self._stop = stop
        self._maildrop = Maildrop(ACCOUNT, secrets.token_urlsafe(12))
        self._before = place.stored().total()
        self.outcome = DemoOutcome(samples())

    def play(self) -> None:
        """Fill a server, copy its mail, do it again, and compare the archive with what was sent."""
        began = time.monotonic()
        self._screen.mask([self._maildrop.password])
        self._introduce()
        with serving(self._maildrop) as port:
            self._place.write_config(port, self._maildrop.password)
            for act in (self._first_run, self._second_run, self._restored_backup, self._verify):
                act()
                if self._stop.is_set() or self.outcome.problems:
                    return
        self._pause()
        self._say()
        self._say(self._screen.styled(f"All numbers add up ({span(time.monotonic() - began)}).", Style.GOOD))
        self._show_around()

    @contextmanager
    def at_work(self) -> Iterator[config.Config]:
        """Let the small server live on, and its account be worked, while somebody looks; then pause it again."""
        with serving(self._maildrop) as port:
            self._place.write_config(port, self._maildrop.password)
            loaded = config.load(self._place.config)
            with closing(Ledger.open(loaded.state_dir)) as ledger:
                resume(loaded.accounts, ledger)
            try:
                yield loaded
            finally:
                self._pause()

    def _pause(self) -> None:
        """Pause the account, whose server has ended, so that nothing looks for it from now on."""
        loaded = config.load(self._place.config)
        with closing(Ledger.open(loaded.state_dir)) as ledger:
            pause(loaded.accounts, ledger, time.time())

    def _introduce(self) -> None:
        sent = self.outcome.sent
        languages = {sample.language for sample in sent} - {""}
        charsets = {sample.charset for sample in sent} - {""}
        odd = sum(not sample.language for sample in sent)
        self._tell(
            "mailferry moves mail out of POP3 maildrops into an archive of your own. It deletes nothing at the source "
            "before every copy has been proven. This is how that looks:",
            indent="",
        )
        self._title("1. A small mail server starts on this machine, with an office's mail in it")
        self._tell(
            f"{plural(len(sent), 'message')}, {size(self.outcome.octets)}, in {len(languages)} languages and "
            f"{len(charsets)} charsets: notes, replies, invitations, newsletters, attachments. {odd} of them are as "
            "odd as real mail can be: no header, NUL bytes, lines of 300 kB, bounces, sealed letters, twins."
        )
        if self._before:
            self._tell(
                f"The archive of an earlier demo is here ({plural(self._before, 'message')}): what it holds is "
                "recognised by its content, and not stored again."
            )

    def _first_run(self) -> None:
        self._title("2. First run: copy, prove, and only then delete")
        self._fill(epoch=1)
        report = self._run(listed=len(self.outcome.sent), is_repeat=False)
        self._tell_numbers(report)
        if report.interrupted:
            return
        if report.copied:
            self._tell(f"Each copy was forced to the disk, read back and compared: {report.verified:,} verified.")
        elif self._before:
            self._tell(f"The copies of the earlier demo were read back and compared: {report.verified:,} verified.")
        self._tell(f"Only then was the server told to delete: {self._deleted(report)}.")

    def _second_run(self) -> None:
        self._title("3. Second run: nothing is left to do")
        report = self._run(listed=0, is_repeat=True)
        self._tell_numbers(report)
        if not report.interrupted:
            self._tell("After a power cut, this is the run that would take up the rest.")

    def _restored_backup(self) -> None:
        self._title("4. The provider restores a backup: all is back, under new unique-ids")
        self._fill(epoch=2)
        report = self._run(listed=len(self.outcome.sent), is_repeat=True)
        self._tell_numbers(report)
        if report.copied or report.interrupted:
            return
        self._tell("Nothing is copied twice: mail is known by its content, not by its id.")
        self._tell(f"Each copy was read back once more, then: {self._deleted(report)}.")

    def _verify(self) -> None:
        self._title("5. The archive, read again and held against what the server was given")
        loaded = config.load(self._place.config)
        with closing(Ledger.open(loaded.state_dir)) as ledger, open_archive(loaded, ledger) as reader:
            verdict = Check(reader, ledger.archive, clock=time.time).make(Selection())
        self.outcome.verified(verdict)
        self._tell(
            f"{plural(verdict.checked, 'copy', 'copies')} read again = {verdict.ok:,} as the ledger knows them"
            f" + {verdict.harmed:,} damaged"
        )
        self._compare()

    def _compare(self) -> None:
        found = Comparison.of(self.outcome.sent, self._place.stored())
        self.outcome.compared(found, before=self._before)
        duplicates = plural(len(self.outcome.sent) - found.equal - found.missing, "duplicate")
        others = f" ({plural(found.others, 'other')} stood there before)" if found.others else ""
        self._tell(f"{len(self.outcome.sent):,} sent = {found.equal + found.missing:,} different + {duplicates}")
        self._tell(
            f"{found.equal + found.missing:,} different = {found.equal:,} in the archive, equal byte for byte"
            f" + {found.missing:,} missing{others}"
        )

    def _fill(self, *, epoch: int) -> None:
        self._maildrop.fill([sample.content for sample in self.outcome.sent], epoch=epoch)

    def _run(self, *, listed: int, is_repeat: bool) -> AccountReport:
        """Do what ``mailferry migrate -c`` does with the demo's configuration."""
        loaded = config.load(self._place.config)
        jobs = [job_of(account, loaded.state_dir) for account in loaded.accounts]
        with closing(Ledger.open(loaded.state_dir)) as ledger:
            [report] = run_accounts(jobs, ledger, Effects(stop=self._stop))
        self.outcome.ran(report, listed=listed, left=len(self._maildrop.messages), is_repeat=is_repeat)
        return report

    def _tell_numbers(self, report: AccountReport) -> None:
        self._tell(f"{report.listed:,} on the server = {report.known:,} already safe + {report.new:,} new")
        if not report.new:
            return
        parts = [f"{report.copied:,} copied", plural(report.duplicates, "duplicate") + " (stored already)"]
        rest = {"skipped": report.skipped, "failed": report.failed, "remaining": report.remaining}
        parts += [f"{number:,} {word}" for word, number in rest.items() if number]
        self._tell(f"{report.new:,} new = {' + '.join(parts)}")

    def _deleted(self, report: AccountReport) -> str:
        left = len(self._maildrop.messages)
        return f"{report.deleted:,} deleted, {f'{left:,}' if left else 'none'} left"

    def _show_around(self) -> None:
        volume = shlex.quote(str(self._place.volumes()[-1]))
        configured = f"-c {shlex.quote(str(self._place.config))}"
        self._title("Your archive")
        self._tell("A plain mbox file; any mail program opens it, with mailferry or without:")
        self._lines(volume, f"mutt -R -f {volume}", "(Thunderbird: copy it to Mail/Local Folders of a profile)")
        self._title("Go on")
        self._lines(
            f"{self._program} status {configured}",
            f"{self._program} verify {configured}",
            f"{self._program} search {configured} marmalade",
        )
        self._tell("Your own mail (it stays on the server unless you say otherwise):")
        self._lines(
            f"{self._program} migrate --from pop3s://you%40example.org@pop.example.org \\", "    --to mbox:my-mail"
        )

    def _title(self, words: str) -> None:
        self._say()
        self._say(self._screen.styled(words, Style.STRONG))

    def _tell(self, words: str, indent: str = _INDENT) -> None:
        for line in textwrap.wrap(words, _WIDTH, initial_indent=indent, subsequent_indent=indent):
            self._say(line)

    def _lines(self, *lines: str) -> None:
        """Say lines that a person may copy: never broken, whatever their length."""
        for line in lines:
            self._say(f"{_INDENT}  {line}")

    def _say(self, line: str = "") -> None:
        if not self._screen.is_quiet:
            self._screen.result(line)
