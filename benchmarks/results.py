"""What was measured, as values and as JSON: every turn of every program, on which machine, of which versions.

A file holds nothing that names a machine, a user or a folder. ``benchmarks.compare`` reads two of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.measure import Measured

FORM = 1
"""Of the file; another number means that what follows is to be read in another way."""


class ResultsError(Exception):
    """A file that holds no results, with the reason."""


@dataclass(frozen=True, slots=True)
class Row:
    """All turns of one program in one case at one delay; ``octets`` and ``messages`` are those of each turn.

    ``octets`` is 0 where no mail is moved. ``is_by_octets`` says by what programs are compared that were given
    different numbers of messages.
    """

    case: str
    milliseconds: int
    program: str
    messages: int
    octets: int
    runs: tuple[Measured, ...]
    fsyncs: int | None = None
    is_by_octets: bool = False

    @property
    def walls(self) -> list[float]:
        """Seconds of each turn."""
        return [run.wall for run in self.runs]

    @property
    def work(self) -> int:
        """By what the time is divided to be compared."""
        return self.octets if self.is_by_octets else self.messages

    @property
    def cpu_each(self) -> float:
        """Seconds of CPU for a message, by the median."""
        return median(run.cpu for run in self.runs) / self.messages

    def as_json(self) -> dict[str, object]:
        """Return everything measured."""
        return {
            "case": self.case,
            "round_trip_ms": self.milliseconds,
            "program": self.program,
            "messages": self.messages,
            "octets": self.octets,
            "is_by_octets": self.is_by_octets,
            "fsyncs": self.fsyncs,
            "turns": [
                {"wall": run.wall, "user": run.user, "system": run.system, "peak": run.peak} for run in self.runs
            ],
        }


def pairs(mine: Row, other: Row) -> list[float]:
    """Return how many times as fast as ``other`` mine is, turn by turn: above 1, mine was faster.

    What disturbs the machine for longer than a turn disturbs both of a pair.
    """
    both = zip(mine.runs, other.runs, strict=False)  # one may have been stopped in the middle of a turn
    return [(theirs.wall / other.work) / (ours.wall / mine.work) for ours, theirs in both]


@dataclass(slots=True)
class Results:
    """One run of the benchmark."""

    began: str
    commit: str
    machine: Mapping[str, str | float]
    versions: Mapping[str, str]
    rows: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def row(self, case: str, milliseconds: int, program: str) -> Row | None:
        """Return that row, if it was measured."""
        wanted = (case, milliseconds, program)
        return next((row for row in self.rows if (row.case, row.milliseconds, row.program) == wanted), None)

    def save(self, path: Path) -> None:
        """Replace the file by everything so far."""
        document = {
            "form": FORM,
            "began": self.began,
            "commit": self.commit,
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "left_out": self.left_out,
            "rows": [row.as_json() for row in self.rows],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.with_name(path.name + ".new")
        whole.write_text(json.dumps(document, indent=1) + "\n")
        whole.replace(path)


def load(path: Path) -> Results:
    """Return what a file holds; ResultsError if it cannot be read, or was not written by ``Results.save``."""
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict) or document.get("form") != FORM:
        raise ResultsError(f"{path} holds no results of the form {FORM}")
    try:
        return Results(
            document["began"],
            document["commit"],
            document["machine"],
            document["versions"],
            [_row(each) for each in document["rows"]],
            document["left_out"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ResultsError(f"{path} is not complete: {error!r}") from error


def _row(found: Mapping[str, object]) -> Row:
    turns = found["turns"]
    if not isinstance(turns, Sequence) or not turns:
        raise ValueError("a row without turns")
    return Row(
        str(found["case"]),
        int(str(found["round_trip_ms"])),
        str(found["program"]),
        int(str(found["messages"])),
        int(str(found["octets"])),
        tuple(_turns(turns)),
        None if found["fsyncs"] is None else int(str(found["fsyncs"])),
        bool(found["is_by_octets"]),
    )


def _turns(turns: Iterable[Mapping[str, float]]) -> Iterable[Measured]:
    return (Measured(float(t["wall"]), float(t["user"]), float(t["system"]), int(t["peak"])) for t in turns)
