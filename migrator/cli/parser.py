"""The command line's grammar: every command, every option. Light: it is read before anything else is imported.

Options may stand before, between and after names: ``mailferry -v migrate alice --json bob`` is fine.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import Any, NoReturn

from migrator import __version__
from migrator.cli.account_options import add_account, add_account_list, add_accounts, add_sign_in
from migrator.cli.adding_options import add_adding
from migrator.cli.adopting_options import add_adopting
from migrator.cli.completion import SHELLS, PrintCompletion
from migrator.cli.page_options import add_demo, add_users, add_vault
from migrator.cli.password_options import add_passwords
from migrator.cli.reading_options import READING, add_decisions, add_receipts, add_state_dir, add_verifying
from migrator.cli.usage import UsageError, misplaced, unknown_choice, unknown_command, unknown_words

DESCRIPTION = """\
Moves mail out of POP3 mailboxes into local archives and IMAP mailboxes, and
deletes nothing at the source until every copy has been proven.
"""

EPILOG = """\
exit codes:
  0    everything asked for was done
  1    some account or message was not, and the report names it
  2    wrong usage or configuration; nothing was touched
  130  interrupted; what was under way was finished or rolled back
with MAILFERRY_EXIT_CODES=sysexits, where all reasons for a 1 are of one sort:
  65 messages, 69 no server, 70 internal, 72 archive, 73 mailbox full,
  74 disk full, 75 try later, 76 refused, 77 password
"""


class Grammar(argparse.ArgumentParser):
    """A parser that says what is wrong in words, names the nearest that is right, and never prints by itself."""

    _given: Sequence[str] = ()

    def error(self, message: str) -> NoReturn:
        """Raise ``UsageError``; where something is missing, a misspelt option is likely to be what it should be."""
        unknown = [word for word in self._given if word.startswith("--") and word.partition("=")[0] not in self.options]
        if unknown and message.startswith("the following arguments are required"):
            message = unknown_words(self.prog, unknown, self.options)
        raise UsageError(self.format_usage(), self.prog, message.removeprefix("argument "))

    # argparse's own method takes the same two, in the same loose types.
    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401
        """Parse, and refuse what is not known: here, where it is known which command it was said to."""
        read, extra = super().parse_known_args(args, namespace)
        self.refuse(extra)
        return read, extra

    def refuse(self, extra: Sequence[str]) -> None:
        """Raise ``UsageError`` if anything is left over."""
        if extra:
            self.error(unknown_words(self.prog, extra, self.options))

    @property
    def options(self) -> Iterable[str]:
        """Every option that it takes, as it is written."""
        return self._option_string_actions.keys()

    def _print_message(self, message: str, file: Any = None) -> None:  # noqa: ANN401  # argparse's own type is as loose
        """Write help or version; argparse itself would not say that it could not be written."""
        (file or sys.stdout).write(message)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """Refuse what is not among an action's choices; argparse calls this for each value."""
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        if action.dest == "command":
            raise argparse.ArgumentError(None, unknown_command(str(value), known))
        raise argparse.ArgumentError(action, unknown_choice(str(value), known))


class Command(Grammar):
    """The parser of one command: names and options may be mixed."""

    _is_mixing = False

    # As above.
    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401
        """Parse as ``parse_known_intermixed_args`` does, which itself calls this method twice.

        It knows no ``--``; a line that has one says by it where the options end, so nothing is mixed there.
        """
        self._given = args or ()
        if self._is_mixing:
            return argparse.ArgumentParser.parse_known_args(self, args, namespace)
        if "--" in self._given:
            return super().parse_known_args(args, namespace)
        if self.prog.endswith(" search"):
            args = _with_words_for_minus(self._given)
        self._is_mixing = True
        try:
            with suppress(UsageError):  # most lines mix nothing, and that is known sooner
                read, extra = argparse.ArgumentParser.parse_known_args(self, args, copy(namespace))
                if not extra:
                    return read, extra
            read, extra = self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_mixing = False
        self.refuse(extra)
        return read, extra


class Whole(Grammar):
    """The parser of the whole command line."""

    # As above.
    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401
        """Parse, and say where an option belongs that stands before its command, and that a command is missing."""
        read, extra = argparse.ArgumentParser.parse_known_args(self, args, namespace)
        if read.command is None and not extra:
            self.error("a command is missing; `mailferry --help` lists what there is")
        if read.command is not None and (said := misplaced(extra, read.command, self._options_of(read.command))):
            self.error(said)
        self.refuse(extra)
        return read, extra

    def _options_of(self, command: str) -> Iterable[str]:
        [choices] = [action.choices for action in self._actions if action.dest == "command"]
        chosen = choices.get(command) if isinstance(choices, dict) else None
        return chosen.options if isinstance(chosen, Grammar) else ()


_EXCLUDED = re.compile(r"-(?:[A-Za-z]+:.|(?![vqh]*(?:c.*)?\Z)[^\W\d_])")
"""A word of a query with a minus: it has a prefix, or does not begin like options of one letter (-v -q -h -c)."""
_WITH_VALUE = frozenset({"-c", "--config", "--limit", "--trace", "--state-dir"})


def _with_words_for_minus(given: Sequence[str]) -> list[str]:
    """Write ``-from:bob`` and ``-bob``, words of a query and no options, as ``not from:bob``, which means the same."""
    pairs = zip(given, ("", *given), strict=False)
    return [
        part
        for word, before in pairs
        for part in (("not", word[1:]) if _EXCLUDED.match(word) and before not in _WITH_VALUE else (word,))
    ]


def read_line(given: Sequence[str]) -> argparse.Namespace:
    """Parse a command line; ends the program as argparse does, or raises ``UsageError``.

    A parser for each command would take longer than most of them: where the line names one, and asks for nothing about
    all of them, it gets that one. What is wrong is said by the whole grammar, which knows what is near.
    """
    if list(given) == ["--version"]:
        return parser([]).parse_args(given)
    place = next((number for number, word in enumerate(given) if word in COMMANDS), None)
    if place is not None and not any(map(_ABOUT_ALL.match, given[:place])):
        with suppress(UsageError):
            return parser(dict.fromkeys(word for word in given if word in COMMANDS)).parse_args(given)
    return parser().parse_args(given)


_ABOUT_ALL = re.compile(r"--(help|completion)|-[a-z]*h")


def parser(only: Collection[str] | None = None) -> argparse.ArgumentParser:
    """Return the grammar of the whole command line, or of some commands; ``command`` names what was asked for."""
    whole = Whole(
        prog="mailferry",
        usage="mailferry [OPTION...] COMMAND ...",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    whole.add_argument("--version", action="version", version=f"mailferry {__version__}")
    whole.add_argument("--completion", action=PrintCompletion, choices=SHELLS, help="print shell completion")
    _common(whole)
    whole.set_defaults(config=None, verbose=0, quiet=False, no_color=False, log_json=False, json=False, trace=None)
    commands = whole.add_subparsers(dest="command", metavar="COMMAND", prog="mailferry", parser_class=Command)
    for name in COMMANDS if only is None else only:
        summary, fill = COMMANDS[name]
        command = commands.add_parser(
            name, help=summary, description=summary[0].upper() + summary[1:] + ".", allow_abbrev=False
        )
        _common(command)
        fill(command)
        if name in READING:
            add_state_dir(command)
    return whole


def _common(command: argparse.ArgumentParser) -> None:
    """Add what every command takes. Nothing is set where nothing was said: the options may stand in two places."""
    group = command.add_argument_group("everywhere")
    unset = argparse.SUPPRESS
    group.add_argument("-c", "--config", type=Path, metavar="FILE", default=unset, help="the configuration file")
    group.add_argument("-v", "--verbose", action="count", default=unset, help="say more; twice: every step")
    group.add_argument("-q", "--quiet", action="store_true", default=unset, help="say only what went wrong")
    group.add_argument("--no-color", action="store_true", default=unset, help="no colours (as does NO_COLOR)")
    group.add_argument("--log-json", action="store_true", default=unset, help="write the log as JSON lines")
    transcript = "write what is said to servers and what they answer, no mail and no password, to this file"
    group.add_argument("--trace", type=Path, metavar="FILE", default=unset, help=transcript)


def _json(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="one JSON document on stdout, nothing else"
    )


def _nothing(command: argparse.ArgumentParser) -> None:
    """Add nothing: the command takes what every command takes."""


def _accounts(command: argparse.ArgumentParser) -> None:
    command.add_argument("accounts", nargs="*", metavar="ACCOUNT", help="only these (all, if none is named)")


def _check(command: argparse.ArgumentParser) -> None:
    _accounts_json(command)
    command.add_argument("--report", type=Path, metavar="FILE", help="write a row for each account to this CSV file")


def _accounts_json(command: argparse.ArgumentParser) -> None:
    _accounts(command)
    _json(command)


def _migrate(command: argparse.ArgumentParser) -> None:
    _accounts_json(command)
    command.add_argument("--dry-run", action="store_true", help="change nothing anywhere; say what would happen")
    command.add_argument("--limit", type=_count, metavar="N", help="at most N new messages per account")
    command.add_argument("--max-delete", type=_count, metavar="N", help="stop before a run deletes more than N")
    group = command.add_argument_group("without a configuration file")
    group.add_argument(
        "--from", dest="source", metavar="URL", help="pop3s://user@host, pop3://user@host?tls=starttls, or an address"
    )
    group.add_argument(
        "--to",
        dest="destinations",
        action="append",
        metavar="URL",
        default=[],
        help="mbox:PATH, maildir:PATH, s3://bucket/prefix, imaps://user@host/Folder; may be repeated",
    )
    group.add_argument("--leave-on-server", metavar="WHAT", help='true (the default), false, or "30 days"')
    group.add_argument("--state-dir", type=Path, metavar="DIR", help="where the ledger is kept, and how to look at it")
    add_passwords(command, "from", "the source")
    add_passwords(command, "to", "the first, second ... IMAP destination")


def _count(written: str) -> int:
    if not written.isdecimal():
        raise argparse.ArgumentTypeError(f"{written!r} must be a whole number, 0 or more")
    return int(written)


def _verify(command: argparse.ArgumentParser) -> None:
    _accounts_json(command)
    add_verifying(command)


def _quarantine(command: argparse.ArgumentParser) -> None:
    _accounts_json(command)
    add_decisions(command)


def _search(command: argparse.ArgumentParser) -> None:
    command.add_argument("query", nargs="+", metavar="QUERY", help="words, from:, to:, subject:, date:a..b and more")
    command.add_argument("--limit", type=_count, metavar="N", help="at most N hits")
    _json(command)


def _show(command: argparse.ArgumentParser) -> None:
    command.add_argument("id", metavar="ID", help="as search prints it")
    command.add_argument("--raw", action="store_true", help="the bytes that the digest was taken over")
    command.add_argument("--attachment", type=_count, metavar="N", help="save the attachment with this number")
    command.add_argument("--to", dest="path", type=Path, metavar="FILE", help="where to save it (here by default)")


def _export(command: argparse.ArgumentParser) -> None:
    _accounts(command)
    place = "a folder, a .mbox file or a .zip file"
    command.add_argument("--to", dest="path", type=_place, metavar="PATH", required=True, help=place)
    command.add_argument("--format", choices=("mbox", "maildir", "eml"), required=True, help="what to write")
    _query(command)
    _json(command)


def _place(written: str) -> Path:
    if written in ("", "-"):
        raise argparse.ArgumentTypeError("must be a file or folder; stdout cannot hold what is exported")
    return Path(written)


def _query(command: argparse.ArgumentParser) -> None:
    command.add_argument("--query", metavar="QUERY", help="only what this search finds, e.g. 'date:2024 from:bob'")


def _restore(command: argparse.ArgumentParser) -> None:
    _accounts(command)
    place = "imaps://user@host/Folder or maildir:PATH"
    command.add_argument("--to", dest="destination", metavar="URL", required=True, help=place)
    grouping = "a folder for each, below the one named"
    command.add_argument("--by", choices=("none", "account", "month", "label"), default="none", help=grouping)
    _query(command)
    _json(command)
    add_passwords(command, "to", "the destination")


def _import(command: argparse.ArgumentParser) -> None:
    command.add_argument("account", metavar="ACCOUNT", help="whose destinations get the mail")
    command.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files, folders, archives of any program")
    variants = ("mboxrd", "mboxo", "mboxcl", "mboxcl2")
    command.add_argument("--variant", choices=variants, help="read mbox files as written in this way")
    command.add_argument("--flags", action="store_true", help="keep what was read, flagged and answered")
    _json(command)


def _moved(command: argparse.ArgumentParser) -> None:
    place = "a folder, s3://bucket/prefix, or imaps://[user@]host/Folder"
    command.add_argument("old", metavar="OLD", help=f"where it was: {place}")
    command.add_argument("new", metavar="NEW", help="where it is now, written likewise")
    command.add_argument("--state-dir", type=Path, metavar="DIR", help="where the ledger is, in place of -c FILE")
    _json(command)


def _ledger(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", choices=("move",), metavar="move", help="what to do")
    place = "postgresql://HOST/DATABASE, or sqlite for the file in state_dir"
    command.add_argument("--to", required=True, metavar="URL", help=f"where it goes: {place}")
    command.add_argument(
        "--from", dest="come_from", metavar="URL", help="the database it leaves, if the configuration does not name it"
    )
    _json(command)


def _receipts(command: argparse.ArgumentParser) -> None:
    _accounts(command)
    add_receipts(command)


def _notify(command: argparse.ArgumentParser) -> None:
    command.add_argument("--test", action="store_true", required=True, help="send a test message to everyone named")


def _backup_state(command: argparse.ArgumentParser) -> None:
    command.add_argument("path", type=Path, metavar="PATH", help="the file to write")


COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "check": (
        "validate the configuration, log in everywhere, show what each end offers; change nothing",
        _check,
    ),
    "migrate": ("copy what is new, verify every copy, delete what the policy allows, and exit", _migrate),
    "run": ("work all accounts on their schedule, in the foreground", _nothing),
    "status": ("show what is archived, what waits, the last run and the next, and what went wrong", _accounts_json),
    "verify": ("read every stored copy again and compare it with the ledger", _verify),
    "quarantine": ("list what was set aside and why; retry or accept single messages, or all of a kind", _quarantine),
    "receipts": ("show what was deleted at a source, what confirmed it, and where its copies are", _receipts),
    "search": ("find archived messages", _search),
    "show": ("print one archived message", _show),
    "export": ("write archived messages out as mbox, Maildir or single files", _export),
    "restore": ("upload archived messages to an IMAP mailbox, once each", _restore),
    "import": ("take mail that other programs left into an account's destinations", _import),
    "doctor": ("look for everything that is or will go wrong, each finding with its cure", _json),
    "reindex": ("build the search index again", _json),
    "rebuild-ledger": ("build the ledger again from the archive", _json),
    "ledger": ("move the ledger from the file in state_dir to PostgreSQL, or back", _ledger),
    "moved": ("know an archive folder, or the place of a mailbox, under its new path, host or spelling", _moved),
    "add": ("find the server of an address, copy and prove one message, and write the account", add_adding),
    "adopt": ("take over accounts and stored mail from fetchmail, getmail, mpop, fdm or Thunderbird", add_adopting),
    "accounts": (
        "list the accounts; import a sheet of them into the ledger's database, or export it",
        add_account_list,
    ),
    "sign-in": ("let an account use access tokens of its provider: sign in there once", add_sign_in),
    "pause": ("let accounts be worked only when they are named", add_accounts),
    "resume": ("let paused accounts be worked as usual again", add_accounts),
    "remove": ("take an account out of the configuration; its mail stays where it is", add_account),
    "repair": ("mend what verify found damaged, where another copy is good", _accounts_json),
    "notify": ("send a test message to everyone who is notified", _notify),
    "healthcheck": ("exit with 0 if the running worker is healthy, else with 1", _json),
    "backup-state": ("copy ledger and state consistently while the worker runs", _backup_state),
    "users": ("add, reset, remove or list who may use the page", add_users),
    "vault": ("show which passwords were typed into the page; open the vault where its key is lost", add_vault),
    "demo": ("show it all with a small server and sample mail, in a minute", add_demo),
}
