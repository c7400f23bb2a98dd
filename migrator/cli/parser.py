"""The command line's grammar: every command, every option. Light: it is read before anything else is imported.

Options may stand before, between and after names: ``mailferry -v migrate alice --json bob`` is fine.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from migrator import __version__

DESCRIPTION = """\
Moves mail out of POP3 maildrops into local archives and IMAP mailboxes, and
deletes nothing at the source until every copy has been proven.
"""

EPILOG = """\
exit codes:
  0    everything asked for was done
  1    some account or message was not, and the report names it
  2    wrong usage or configuration; nothing was touched
  130  interrupted; what was under way was finished or rolled back
"""

SHELLS = ("bash", "zsh", "tcsh")


class Command(argparse.ArgumentParser):
    """The parser of one command: names and options may be mixed."""

    _is_mixing = False

    # argparse's own method takes the same two, in the same loose types.
    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401
        """Parse as ``parse_known_intermixed_args`` does, which itself calls this method twice.

        It knows no ``--``; a line that has one says by it where the options end, so nothing is mixed there.
        """
        if self._is_mixing or "--" in (args or ()):
            return super().parse_known_args(args, namespace)
        if self.prog.endswith(" search"):
            args = _with_words_for_minus(args or ())
        self._is_mixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_mixing = False


_EXCLUDED = re.compile(r"-(?:from|to|cc|subject|body|attachment|account|list|id|before|after|date|larger|smaller|has):")


def _with_words_for_minus(given: Sequence[str]) -> list[str]:
    """Write ``-from:bob``, a word of a query and no option, as ``not from:bob``, which means the same."""
    return [part for word in given for part in (("not", word[1:]) if _EXCLUDED.match(word) else (word,))]


class PrintCompletion(argparse.Action):
    """Print a completion script for a shell, and leave."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        _namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        _option_string: str | None = None,
    ) -> None:
        """Write the script to stdout."""
        import shtab

        print(shtab.complete(parser, shell=str(values)))  # noqa: T201  # as argparse prints --help
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """Return the grammar of the whole command line; ``command`` names what was asked for."""
    whole = argparse.ArgumentParser(
        prog="mailferry",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    whole.add_argument("--version", action="version", version=f"mailferry {__version__}")
    whole.add_argument("--completion", action=PrintCompletion, choices=SHELLS, help="print shell completion")
    _common(whole)
    whole.set_defaults(config=None, verbose=0, quiet=False, no_color=False, log_json=False, json=False, trace=None)
    commands = whole.add_subparsers(dest="command", metavar="COMMAND", parser_class=Command, required=True)
    for name, (summary, fill) in COMMANDS.items():
        command = commands.add_parser(
            name, help=summary, description=summary[0].upper() + summary[1:] + ".", allow_abbrev=False
        )
        _common(command)
        fill(command)
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


def _accounts(command: argparse.ArgumentParser) -> None:
    command.add_argument("accounts", nargs="*", metavar="ACCOUNT", help="only these (all, if none is named)")


def _accounts_json(command: argparse.ArgumentParser) -> None:
    _accounts(command)
    _json(command)


def _passwords(command: argparse.ArgumentParser, end: str, whose: str) -> None:
    for source, metavar in (("env", "VAR"), ("file", "FILE"), ("command", "CMD")):
        command.add_argument(
            f"--{end}-password-{source}",
            dest=f"{end}_passwords",
            action="append",
            type=_from(source),
            metavar=metavar,
            default=[],
            help=f"where the password of {whose} comes from",
        )


def _from(source: str) -> Callable[[str], dict[str, str]]:
    """Return a reader of an option's value as the configuration would write it."""
    return lambda written: {source: written}


def _migrate(command: argparse.ArgumentParser) -> None:
    _accounts_json(command)
    command.add_argument("--dry-run", action="store_true", help="change nothing anywhere; say what would happen")
    command.add_argument("--limit", type=_count, metavar="N", help="at most N new messages per account")
    command.add_argument("--max-delete", type=_count, metavar="N", help="stop before a run deletes more than N")
    group = command.add_argument_group("without a configuration file")
    group.add_argument(
        "--from", dest="source", metavar="URL", help="pop3s://user@host or pop3://user@host?tls=starttls"
    )
    group.add_argument(
        "--to",
        dest="destinations",
        action="append",
        metavar="URL",
        default=[],
        help="mbox:PATH, maildir:PATH, imaps://user@host/Folder; may be repeated",
    )
    group.add_argument("--leave-on-server", metavar="WHAT", help='true (the default), false, or "30 days"')
    group.add_argument("--state-dir", type=Path, metavar="DIR", help="where the ledger is kept")
    _passwords(command, "from", "the source")
    _passwords(command, "to", "the first, second ... IMAP destination")


def _count(written: str) -> int:
    if not written.isdecimal():
        raise argparse.ArgumentTypeError(f"{written!r} must be a whole number, 0 or more")
    return int(written)


def _verify(command: argparse.ArgumentParser) -> None:
    _accounts_json(command)
    command.add_argument("--sample", type=_share, metavar="PERCENT", default=1.0, help="only so many of them, say 5%%")
    command.add_argument("--since", metavar="DAY", help="only what was archived since then: 2024-05-31, or 7d")


def _share(written: str) -> float:
    """Return a percentage as a share of 1."""
    try:
        percent = float(written.removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not 0 < percent <= 100:
        raise argparse.ArgumentTypeError(f"{written!r} must be a percentage above 0, such as 5%")
    return percent / 100


def _quarantine(command: argparse.ArgumentParser) -> None:
    _accounts_json(command)
    choice = command.add_mutually_exclusive_group()
    for option, meaning in (
        ("retry", "try it again at the next run"),
        ("accept", "leave it as it is, report it no more"),
    ):
        choice.add_argument(
            f"--{option}",
            type=_count,
            action="append",
            default=[],
            metavar="NUMBER",
            help=f"{meaning}; may be repeated",
        )


def _search(command: argparse.ArgumentParser) -> None:
    command.add_argument("query", nargs="+", metavar="QUERY", help="words, from:, to:, subject:, date:a..b and more")
    command.add_argument("--limit", type=_count, metavar="N", help="at most N hits")
    _json(command)


def _show(command: argparse.ArgumentParser) -> None:
    command.add_argument("id", metavar="ID", help="as search prints it")
    command.add_argument("--raw", action="store_true", help="the bytes that the digest was taken over")
    command.add_argument("--attachment", type=_count, metavar="N", help="save the attachment with this number")
    command.add_argument("--to", dest="path", type=Path, metavar="FILE", help="where to save it: new file or folder")


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
    command.add_argument("--by", choices=("none", "account", "month"), default="none", help=grouping)
    _query(command)
    _json(command)
    _passwords(command, "to", "the destination")


def _import(command: argparse.ArgumentParser) -> None:
    command.add_argument("account", metavar="ACCOUNT", help="whose destinations get the mail")
    command.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="mbox files or Maildirs")
    variants = ("mboxrd", "mboxo", "mboxcl", "mboxcl2")
    command.add_argument("--variant", choices=variants, default="mboxrd", help="how the mbox files quote")
    _json(command)


def _moved(command: argparse.ArgumentParser) -> None:
    place = "a folder, or imaps://[user@]host/Folder"
    command.add_argument("old", metavar="OLD", help=f"where it was: {place}")
    command.add_argument("new", metavar="NEW", help="where it is now, written likewise")
    command.add_argument("--state-dir", type=Path, metavar="DIR", help="where the ledger is, in place of -c FILE")
    _json(command)


def _notify(command: argparse.ArgumentParser) -> None:
    command.add_argument("--test", action="store_true", required=True, help="send a test message to everyone named")


def _backup_state(command: argparse.ArgumentParser) -> None:
    command.add_argument("path", type=Path, metavar="PATH", help="the file to write")


def _demo(command: argparse.ArgumentParser) -> None:
    command.add_argument("--dir", type=Path, metavar="DIR", help="where to put the archive (a new folder otherwise)")
    _json(command)


COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "check": (
        "validate the configuration, log in everywhere, show what each end offers; change nothing",
        _accounts_json,
    ),
    "migrate": ("copy what is new, verify every copy, delete what the policy allows, and exit", _migrate),
    "run": ("work all accounts on their schedule, in the foreground", _json),
    "status": ("show what is archived, what waits, the last run and the next, and what went wrong", _accounts_json),
    "verify": ("read every stored copy again and hold it against the ledger", _verify),
    "quarantine": ("list what was set aside and why; retry or accept single messages", _quarantine),
    "search": ("find archived messages", _search),
    "show": ("print one archived message", _show),
    "export": ("write archived messages out as mbox, Maildir or single files", _export),
    "restore": ("upload archived messages to an IMAP mailbox, once each", _restore),
    "import": ("take existing mbox files or Maildirs into an account's destinations", _import),
    "doctor": ("look for everything that is or will go wrong, each finding with its cure", _json),
    "reindex": ("build the search index anew", _json),
    "rebuild-ledger": ("build the ledger anew from the archive", _json),
    "moved": ("know an archive folder, or the place of a mailbox, under its new path, host or spelling", _moved),
    "repair": ("mend what verify found damaged, where another copy is good", _accounts_json),
    "notify": ("send a test message to everyone who is to be told", _notify),
    "healthcheck": ("exit with 0 if the running worker is healthy, else with 1", _json),
    "backup-state": ("copy ledger and state consistently while the worker runs", _backup_state),
    "demo": ("show it all with a small server and sample mail, in a minute", _demo),
}
