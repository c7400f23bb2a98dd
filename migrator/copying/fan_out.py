"""Batches on their way to all destinations at once, each in a thread of its own, while the source is read.

A run takes as long as the slowest side, not the sum. Order is kept per destination. A destination that fails as a
whole fails at once for every later batch, so that a dead server costs one time-out and not one per batch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ALL_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import NamedTuple, TypeVar

from migrator.copying.copier import Copier, CopyResult, Outcome
from migrator.copying.offload import BatchCopier
from migrator.errors import FerryError
from migrator.message.body import Message
from migrator.message.spool import OctetBudget
from migrator.model import Digest, MessageNumber, MessageRow

_Answer = TypeVar("_Answer")

_COPIED = CopyResult.COPIED  # for each message: a name of the module is looked up sooner


class Fetched(NamedTuple):
    """A message of this run on its way. ``charged`` is what it holds of the budget; ``number`` is the session's."""

    number: MessageNumber
    row: MessageRow
    message: Message
    charged: int


class _Batch(NamedTuple):
    """Messages on their way to one destination, and where their outcomes are awaited."""

    fetched_batch: Sequence[Fetched]
    outcomes: Future[Sequence[Outcome]]


class CopyOutcomes(NamedTuple):
    """One message's end: an outcome per destination, in the order of the copiers."""

    fetched: Fetched
    outcomes: tuple[Outcome, ...]

    @property
    def is_proven(self) -> bool:
        """Whether no destination lacks a proven copy of it."""
        for outcome in self.outcomes:  # noqa: SIM110  # a generator takes thrice as long, for each message
            if isinstance(outcome, FerryError):
                return False
        return True

    @property
    def errors(self) -> list[tuple[int, FerryError]]:
        """The destinations (by place) that do not hold a proven copy, each with the reason."""
        return [(place, outcome) for place, outcome in enumerate(self.outcomes) if isinstance(outcome, FerryError)]

    @property
    def is_copied(self) -> bool:
        """Whether this run stored it somewhere."""
        return _COPIED in self.outcomes


class FanOut:
    """The way from one source to its destinations."""

    def __init__(
        self,
        copiers: Sequence[Copier],
        budget: OctetBudget,
        broken: dict[int, FerryError] | None = None,
        batch_copiers: Sequence[BatchCopier] | None = None,
    ) -> None:
        """Copy by ``copiers``; what a message was charged goes back to ``budget`` when all are done with it.

        ``broken`` destinations, by place, have failed before; those that fail now are added. ``batch_copiers`` do the
        copying where it is not the copiers themselves.
        """
        self._copiers = copiers
        self._batch_copiers = batch_copiers or copiers
        self.budget = budget
        self._threads = [ThreadPoolExecutor(max_workers=1, thread_name_prefix="copier") for _ in copiers]
        self._waiting: list[deque[_Batch]] = [deque() for _ in copiers]
        self._under_way: deque[tuple[Sequence[Fetched], list[Future[Sequence[Outcome]]]]] = deque()
        self.broken = {} if broken is None else broken

    @property
    def is_stuck(self) -> bool:
        """Whether every destination has failed as a whole: nothing can be copied any more."""
        return len(self.broken) == len(self._copiers)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._under_way

    @property
    def has_finished(self) -> bool:
        """Whether every destination is done with the oldest batch."""
        return bool(self._under_way) and all(future.done() for future in self._under_way[0][1])

    def submit(self, fetched_batch: Sequence[Fetched]) -> None:
        """Begin to deliver a batch; returns at once.

        Batches that wait for the same destination are copied as one: the further it is behind, the fewer fsyncs.
        """
        if not fetched_batch:
            return
        futures: list[Future[Sequence[Outcome]]] = [Future() for _ in self._threads]
        self._under_way.append((fetched_batch, futures))
        for place, thread in enumerate(self._threads):
            self._waiting[place].append(_Batch(fetched_batch, futures[place]))
            thread.submit(self._copy_waiting, place)

    def finished(self) -> list[CopyOutcomes]:
        """Return what every destination is done with by now, as one batch, without waiting for the others.

        Batches that were copied as one end at one time, and can be written down by one transaction.
        """
        ended: list[CopyOutcomes] = []
        while self.has_finished:
            fetched_batch, futures = self._under_way.popleft()
            columns = [future.result() for future in futures]
            self.budget.give_back(sum(fetched.charged for fetched in fetched_batch), len(fetched_batch))
            together = zip(fetched_batch, zip(*columns, strict=True), strict=True)
            ended += map(CopyOutcomes._make, together)
        return ended

    def ask(self, place: int, question: Callable[[Copier], _Answer]) -> _Answer:
        """Ask a copier something in its own thread, behind what it has to copy, and wait for the answer."""
        return self._threads[place].submit(question, self._copiers[place]).result()

    def verify_again(self, digests: Sequence[Digest]) -> dict[Digest, FerryError | None]:
        """Read the copies of these contents at every destination again; the first error stands."""
        verdicts: dict[Digest, FerryError | None] = dict.fromkeys(digests)
        for place in range(len(self._copiers)):
            answer = self.ask(place, lambda copier: copier.verify_again(digests))
            verdicts = {digest: verdicts[digest] or answer[digest] for digest in digests}
        return verdicts

    def wait(self, seconds: float) -> None:
        """Wait until the oldest batch is done, at most so long."""
        if self._under_way:
            wait(self._under_way[0][1], timeout=seconds, return_when=ALL_COMPLETED)

    def close(self) -> None:
        """Wait for what is under way and end the threads; never leaves a batch half done."""
        for thread in self._threads:
            thread.shutdown(wait=True)

    def _copy_waiting(self, place: int) -> None:
        batches = self._next_batches(place)
        if not batches:
            return  # an earlier call copied them
        try:
            outcomes = iter(self._copy(place, [fetched for batch in batches for fetched in batch.fetched_batch]))
            for batch in batches:
                batch.outcomes.set_result(list(islice(outcomes, len(batch.fetched_batch))))
        except BaseException as error:  # noqa: BLE001  # who waits for the outcome is to see it
            for batch in batches:
                batch.outcomes.set_exception(error)

    def _next_batches(self, place: int) -> list[_Batch]:
        """Take the batches that wait, as many as the destination likes at once."""
        waiting, limits = self._waiting[place], self._copiers[place].destination.limits
        taken: list[_Batch] = []
        messages = octets = 0
        while waiting:
            messages += len(waiting[0].fetched_batch)
            octets += sum(fetched.message.octets for fetched in waiting[0].fetched_batch)
            if taken and (messages > limits.messages or octets > limits.octets):
                break
            taken.append(waiting.popleft())
        return taken

    def _copy(self, place: int, fetched_batch: Sequence[Fetched]) -> Sequence[Outcome]:
        if place not in self.broken:
            try:
                return self._batch_copiers[place].copy([fetched.message for fetched in fetched_batch])
            except FerryError as error:
                self.broken[place] = error
        return [self.broken[place]] * len(fetched_batch)
