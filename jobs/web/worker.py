"""The worker as the page sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from jobs.monitoring.snapshot import Seen, Snapshot
from jobs.schedule.live_progress import RunProgress
from migrator.config import Config
from migrator.findings.model import Finding
from migrator.lazy_dataclasses import dataclass
from migrator.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Worker:
    """What the page shows and asks for; each of these may be called from any thread."""

    config: Callable[[], Config]
    """The configuration in force."""
    snapshot: Callable[[], Snapshot]
    ledger: Ledger
    """The worker's; a request that reads lends itself an opening of its own (``Ledger.lent``)."""
    try_now: Callable[[str], None]
    """Work an account at once, whatever back-off or park holds it; only a gap that its server asks for is kept."""
    stop_run: Callable[[str], bool]
    """Let the run of an account end between two messages; False where none goes on."""
    look_again: Callable[[], None]
    """Hear at once of what was written down for the worker: a pause, a decision."""
    reload: Callable[[], str | None]
    """Read the configuration again; returns what is wrong with it, empty for nothing, None for no answer yet."""
    examine: Callable[[], Sequence[Finding]]
    """Look for everything that is or will go wrong; asks the servers, and takes its time."""
    progress: Callable[[], Mapping[str, RunProgress]]
    """How far each run has come that goes on now, by account; cheap."""
    index: Callable[[], None]
    """Take into the search index what is new, soon and beside everything else."""
    seen: Callable[[], Seen]
    """What is seen of the worker but for that progress; cheap."""
