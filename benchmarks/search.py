"""Search over 200,000 messages, beside notmuch on the same mail; how fast they are indexed, and verified.

python -m benchmarks.search [--messages N] [--repeats N] [--dir DIR]

Every search is a whole command, from its start to its end, that shows the newest fifty. Without notmuch (on Debian a
package of that name) only our own figures are printed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.letters import letters
from benchmarks.measure import Command, Measured, run

REPOSITORY = Path(__file__).parents[1]
LIMIT = 3_600.0
SHOWN = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, in our words and in notmuch's."""

    ours: str
    theirs: str


QUERIES = (
    # Quoted, because notmuch would look for the stem, which is also the end of four subjects that were cut: "invoic".
    Asked("invoice", '"invoice"'),
    Asked("marmalade passport", "marmalade passport"),
    Asked('"gumepapa xyostostxy"', '"gumepapa xyostostxy"'),
    Asked("from:person17", "from:person17"),
    Asked("from:person17 date:2024-05", "from:person17 date:2024-05"),
    Asked("budget has:attachment", "budget tag:attachment"),
    Asked("subject:contract -from:person3 after:2023", "subject:contract date:2023.. not from:person3"),
    Asked("(holiday or travel) date:2020..2022", "(holiday or travel) date:2020..2022"),
    Asked("market* or report*", "market* or report*"),
    Asked("会議", "会議"),
    Asked('"契約について"', '"契約について"'),
    Asked("date:2025", "date:2025"),
    Asked("nosuchword", "nosuchword"),
)


@dataclass(frozen=True, slots=True)
class Program:
    """A program that searches; ``ask`` gives the command for a question, ``count`` the number of messages it finds."""

    name: str
    ask: Callable[[Asked], Command]
    count: Callable[[Asked], int]


def main() -> None:
    """Make the mail, index it with both, ask both in turns, print what it took."""
    wanted = _wanted()
    with tempfile.TemporaryDirectory(prefix="mailferry-search-", dir=wanted.dir) as made:
        folder = Path(made)
        octets = _write(folder, wanted.messages)
        print(f"{wanted.messages:,} messages, {octets / 1e6:,.0f} MB\n", flush=True)
        programs = [_mailferry(folder)]
        _index_ours(folder, wanted.messages, octets)
        if shutil.which("notmuch"):
            programs.append(_notmuch(folder))
            _index_theirs(folder, wanted.messages)
        else:
            print("left out: notmuch is not installed")
        _print_searches(programs, folder, wanted.repeats)


def _wanted() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=5, help="of each search")
    parser.add_argument("--dir", type=Path, help="where the mail is kept meanwhile")
    return parser.parse_args()


def _write(folder: Path, count: int) -> int:
    """Write the same mail as an mbox archive and as a Maildir; returns its bytes."""
    archive, cur = folder / "archive", folder / "Maildir" / "cur"
    for made in (archive, cur, folder / "Maildir" / "new", folder / "Maildir" / "tmp"):
        made.mkdir(parents=True)
    octets = 0
    with (archive / "letters.mbox").open("wb") as mbox:
        for number, letter in enumerate(letters(count)):
            mbox.write(b"From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n" + letter + b"\n")
            (cur / f"{number}.letters:2,S").write_bytes(letter)
            octets += len(letter)
    return octets


def _ours(*words: str) -> Command:
    return Command([sys.executable, "-m", "migrator", *words], {"PYTHONPATH": str(REPOSITORY)})


def _index_ours(folder: Path, messages: int, octets: int) -> None:
    config = folder / "config.toml"
    config.write_text(
        'state_dir = "state"\n[[accounts]]\nname = "bench"\n'
        '[accounts.source]\nhost = "127.0.0.1"\nusername = "bench"\npassword = "unused"\n'
        '[[accounts.destinations]]\ntype = "mbox"\npath = "archive"\n'
    )
    config.chmod(0o600)
    for step in ("rebuild-ledger", "reindex", "verify"):
        took = run(_ours(step, "-c", str(config)), folder / "log", LIMIT)
        _print_step(f"mailferry {step}", took, messages, octets)
    _print_size("mailferry's index", folder / "state" / "search.sqlite3")


def _mailferry(folder: Path) -> Program:
    config = folder / "config.toml"

    def count(asked: Asked) -> int:
        # With nothing to show it still tells the number.
        words = [sys.executable, "-m", "migrator", "search", "-c", str(config), "--limit", "1", asked.ours]
        said = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True).stderr
        return int(said.split()[0].replace(",", ""))

    return Program(
        "mailferry",
        lambda asked: _ours("search", "-c", str(config), "--limit", str(SHOWN), "--", asked.ours),
        count,
    )


def _theirs(folder: Path) -> dict[str, str]:
    # The second has Xapian take Chinese and Japanese apart.
    return {"NOTMUCH_CONFIG": str(folder / "notmuch-config"), "XAPIAN_CJK_NGRAM": "1"}


def _index_theirs(folder: Path, messages: int) -> None:
    (folder / "notmuch-config").write_text(
        f"[database]\npath={folder / 'Maildir'}\n[user]\nname=Bench\nprimary_email=bench@example.org\n"
        "[new]\ntags=\nignore=\n[search]\nexclude_tags=\n"
    )
    took = run(Command(["notmuch", "new", "--quiet"], _theirs(folder)), folder / "log", LIMIT)
    _print_step("notmuch new", took, messages, 0)
    _print_size("notmuch's index", folder / "Maildir" / ".notmuch")


def _notmuch(folder: Path) -> Program:
    environment = _theirs(folder)

    def count(asked: Asked) -> int:
        words = ["notmuch", "count", "--output=messages", asked.theirs]
        full = {**os.environ, **environment}
        return int(subprocess.run(words, env=full, capture_output=True, text=True, check=True).stdout)

    return Program(
        "notmuch",
        lambda asked: Command(["notmuch", "search", f"--limit={SHOWN}", asked.theirs], environment),
        count,
    )


def _print_step(title: str, took: Measured, messages: int, octets: int) -> None:
    rate = f", {octets / took.wall / 1e6:,.0f} MB/s" if octets else ""
    figures = f"{took.wall:8.1f} s  {messages / took.wall:8,.0f} messages/s{rate}"
    print(f"{title:26} {figures}, CPU {took.cpu:.0f} s, {took.peak / 1e6:.0f} MB", flush=True)


def _print_size(title: str, path: Path) -> None:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    print(f"{title:26} {sum(file.stat().st_size for file in files) / 1e6:8,.0f} MB", flush=True)


def _print_searches(programs: Sequence[Program], folder: Path, repeats: int) -> None:
    """Ask each question of every program in turns, so that what disturbs the machine disturbs both."""
    names = [program.name for program in programs]
    print(f"\n{'query':44}" + "".join(f"{name:>10} ms {'max':>6} {'found':>8}" for name in names) + "    ours takes")
    everything: dict[str, list[float]] = {name: [] for name in names}
    for asked in QUERIES:
        walls: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(repeats):
            for program in programs:
                walls[program.name].append(run(program.ask(asked), folder / "log", LIMIT).wall)
        cells = [_cells(walls[program.name], program.count(asked)) for program in programs]
        print(f"{_padded(asked.ours, 44)}{''.join(cells)}{_ratio(walls)}", flush=True)
        for name in names:
            everything[name] += walls[name]
    cells = [_cells(everything[name], None) for name in names]
    print(f"{'all of them':44}{''.join(cells)}{_ratio(everything)}")


def _cells(walls: list[float], found: int | None) -> str:
    return f"{median(walls) * 1e3:13.0f} {max(walls) * 1e3:6.0f} {'' if found is None else f'{found:,}':>8}"


def _ratio(walls: dict[str, list[float]]) -> str:
    ours, *others = [median(each) for each in walls.values()]
    return "".join(f"{ours / other:12.2f} x" for other in others)


def _padded(text: str, width: int) -> str:
    """Fill up to a number of columns, of which an ideograph takes two."""
    return text + " " * max(0, width - sum(1 + (character > "\u2e7f") for character in text))


if __name__ == "__main__":
    main()
