"""What came of a demo, and whether it adds up. Pure: reports and digests in, problems out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256

from migrator.archive.verification import Verification
from migrator.demo.samples import Sample
from migrator.lazy_dataclasses import dataclass, field
from migrator.report import AccountReport, Status
from migrator.ui.run_summary import problem_lines
from migrator.ui.text import plural


@dataclass(frozen=True, slots=True)
class Comparison:
    """The archive beside what was sent, in different messages; ``others`` stand in it and were not sent."""

    equal: int
    missing: int
    doubled: int
    others: int

    @classmethod
    def of(cls, sent: Sequence[Sample], stored: Counter[bytes]) -> Comparison:
        """Compare what is stored, counted by SHA-256, with what was sent."""
        wanted = {sha256(sample.content).digest() for sample in sent}
        found = wanted & stored.keys()
        return cls(
            equal=len(found),
            missing=len(wanted - found),
            doubled=sum(stored[digest] > 1 for digest in found),
            others=sum(count for digest, count in stored.items() if digest not in wanted),
        )


@dataclass(slots=True)
class DemoOutcome:
    """One demo. ``problems`` says in lines what does not add up; it is empty when all is well."""

    sent: Sequence[Sample]
    runs: list[AccountReport] = field(default_factory=list)
    checked: int = 0
    comparison: Comparison | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def octets(self) -> int:
        """How much was sent."""
        return sum(len(sample.content) for sample in self.sent)

    @property
    def is_interrupted(self) -> bool:
        """Whether somebody wanted an end."""
        return any(report.interrupted for report in self.runs)

    def ran(self, report: AccountReport, *, listed: int, left: int, is_repeat: bool) -> None:
        """Note a run that had to list ``listed`` messages, with what it left on the server; a repeat copies nothing."""
        self.runs.append(report)
        if report.interrupted:
            return
        if report.status is not Status.OK:
            self.problems += [line.strip() for line in problem_lines(report)]
        safe = report.known + report.copied + report.duplicates
        if not (listed == report.listed == safe == report.deleted and left == 0):
            self.problems.append(
                f"of {plural(listed, 'message')} {report.listed:,} were listed, {safe:,} are safe, "
                f"{report.deleted:,} were deleted and {left:,} are left on the server"
            )
        if is_repeat and report.copied:
            self.problems.append(f"copied a second time: {plural(report.copied, 'message')}")

    def verified(self, verdict: Verification) -> None:
        """Note what ``verify`` found; no copy may be damaged or out of reach."""
        self.checked = verdict.checked
        damaged = verdict.harmed
        if damaged:
            self.problems.append(f"damaged in the archive: {plural(damaged, 'message')}")
        self.problems += [str(one.error) for one in verdict.unreachable]

    def compared(self, comparison: Comparison, *, before: int) -> None:
        """Note what the archive holds in the end; ``before`` is how many messages stood in it at the start."""
        self.comparison = comparison
        wrong = {
            "not in the archive": comparison.missing,
            "more than once in the archive": comparison.doubled,
            "in the archive, though nobody sent it": max(0, comparison.others - before),
        }
        self.problems += [f"{words}: {plural(number, 'message')}" for words, number in wrong.items() if number]

    def as_json(self) -> dict[str, object]:
        """Return it for a script."""
        found = self.comparison
        return {
            "messages": len(self.sent),
            "octets": self.octets,
            "runs": [report.as_json() for report in self.runs],
            "verified": self.checked,
            "equal": found.equal if found else 0,
            "missing": found.missing if found else 0,
            "doubled": found.doubled if found else 0,
            "others": found.others if found else 0,
            "problems": self.problems,
        }
