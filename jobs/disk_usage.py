"""How full the disks are, and when they will be: one sample an hour, a straight line through two weeks of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from jobs.schedule.state_store import StateStore
from migrator.lazy_dataclasses import dataclass
from migrator.operations.doctor import nearest_folder

TOPIC = "disks"
SAMPLE_SECONDS = 3600.0
SAMPLES = 14 * 24
SPAN_NEEDED = 86400.0

Samples = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Disk:
    """How full the file system of one folder is; ``full_in`` is a forecast in seconds, infinity for none."""

    path: str
    free: int
    total: int
    minimum: int
    full_in: float = float("inf")

    def as_json(self) -> dict[str, object]:
        """Return the disk's object; ``full_in_seconds`` is null while it does not fill."""
        full_in = None if self.full_in == float("inf") else round(self.full_in)
        return {"path": self.path, "free": self.free, "total": self.total, "full_in_seconds": full_in}


def measured(folders: Iterable[Path], least_free: Callable[[int], int], store: StateStore, now: float) -> list[Disk]:
    """Measure the file systems of these folders, each once; a sample an hour is noted for the forecast.

    ``least_free`` says how much is wanted free on a disk of a size.
    """
    remembered = store.get_all(TOPIC)
    disks: dict[int, Disk] = {}
    for folder in map(nearest_folder, folders):
        device = folder.stat().st_dev
        if device in disks:
            continue
        usage = shutil.disk_usage(folder)
        samples = _samples(remembered.get(str(folder), {}))
        if not samples or now - samples[-1][0] >= SAMPLE_SECONDS:
            samples = [*samples, (now, float(usage.free))][-SAMPLES:]
            store.put(TOPIC, str(folder), {"samples": samples})
        disks[device] = Disk(
            str(folder),
            usage.free,
            usage.total,
            least_free(usage.total),
            full_in(samples, usage.free),
        )
    for gone in remembered.keys() - {disk.path for disk in disks.values()}:
        store.delete(TOPIC, gone)
    return list(disks.values())


def _samples(fact: dict[str, object]) -> Samples:
    samples = fact.get("samples", [])
    return [(float(moment), float(free)) for moment, free in samples] if isinstance(samples, list) else []


def forecast(store: StateStore, folder: Path, free: float) -> float:
    """Return in how many seconds the disk of a folder will be full, by the samples that were noted."""
    return full_in(_samples(store.get_all(TOPIC).get(str(folder), {})), free)


def full_in(samples: Samples, free: float) -> float:
    """Return in how many seconds nothing will be free, by least squares; infinity while it does not fill.

    Less than a day of samples says nothing.
    """
    if len(samples) < 2 or samples[-1][0] - samples[0][0] < SPAN_NEEDED:
        return float("inf")
    count = len(samples)
    mean_t = sum(moment for moment, _ in samples) / count
    mean_free = sum(value for _, value in samples) / count
    spread = sum((moment - mean_t) ** 2 for moment, _ in samples)
    slope = sum((moment - mean_t) * (value - mean_free) for moment, value in samples) / spread
    return free / -slope if slope < 0 else float("inf")
