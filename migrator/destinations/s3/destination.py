"""The S3 destination: a prefix of a bucket that holds one object a batch, and nothing in it that is not mail.

An object is a volume as an mbox folder has them (mboxrd), but it is never appended to: a batch is put together first,
named by the SHA-256 of its bytes, and put under that name unless something stands there. So the intent is the name; a
PUT whose answer is lost costs a look; a second PUT of the same batch, by whatever process on whatever machine, changes
nothing. What is done about what happened in between is in ``migrator.destinations.s3.recovery``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from migrator.copy_records import (
    Anchor,
    Finding,
    Found,
    KnownPlaces,
    MboxAnchor,
    Recollection,
    VolumeChanged,
    VolumeRecord,
    VolumeSeen,
    VolumeState,
    VolumeTouched,
)
from migrator.destinations import BatchLimits, Stored
from migrator.destinations.s3.building import BuiltObject, build
from migrator.destinations.s3.reading import Window, pieces, read_records
from migrator.destinations.s3.recovery import Recovery, record_of
from migrator.destinations.s3.settings import S3Settings
from migrator.destinations.s3.store import ENDING, Listed, ObjectStore
from migrator.errors import Endpoint, FerryError, Kind
from migrator.files import Device, LockTimeout, Step, key_of, lock_file, no_step
from migrator.message.body import Body, Message
from migrator.model import Locator, Proof
from migrator.net.patience import Stop
from migrator.policy import WhenCopyIsGone

STEPS = ("s3.object-built", "s3.parts-begun", "s3.part-stored", "s3.object-stored")
"""Every effect by name; ``step`` is called with it right after."""

_NAMES_FOR_ONE_BATCH = 9


class S3Destination:
    """An archive in an object store; it connects when it is first needed. One object serves one run.

    ``clock`` tells the time of archiving; ``step`` hears each of ``STEPS``. Locks, and an object on its way that is too
    large for memory, are in ``state_dir``.
    """

    kind = "s3"
    limits = BatchLimits(messages=2_000, octets=32 << 20)
    setting_place = ""
    required_proof = Proof.EXACT
    when_copy_is_gone = WhenCopyIsGone.KEEP

    def __init__(
        self,
        settings: S3Settings,
        *,
        state_dir: Path,
        clock: Callable[[], datetime],
        lock_timeout: float = 30.0,
        step: Step = no_step,
    ) -> None:
        self.settings = settings
        self.identity = settings.identity
        self.label = settings.label
        self._state_dir = state_dir
        self._lock_timeout = LockTimeout(lock_timeout)
        self._clock = clock
        self._step = step
        self._store = ObjectStore(settings, step=step)
        self._known: dict[str, VolumeRecord] | None = None
        """The objects as they were when last looked at or stored; None before that."""
        self._built: BuiltObject | None = None

    def heed(self, stop: Stop) -> None:
        """Ask nothing more a breath after this is set: ``StoppedError``."""
        self._store.heed(stop)

    def guard(self, check: Callable[[], None]) -> None:
        """Call this before each request that puts something; where it raises, nothing is put."""
        self._store.guard(check)

    @property
    def endpoint(self) -> Endpoint:
        """The server."""
        return self.settings.server

    # --------------------------------------------------------------------------------- recover and lock

    def recover(self, recollection: Recollection) -> Iterator[Finding]:
        """Tell what stands under the prefix beyond what is remembered; parts of what was never joined are given up.

        May be asked again, with a newer recollection: where that holds nothing that this object does not know, the
        store is not asked.
        """
        volumes = {record.name: record for record in recollection.volumes}
        if not recollection.intents and volumes == self._known:
            return
        for intent in recollection.intents:
            if isinstance(intent.anchor, MboxAnchor):
                self._store.forget_parts(intent.anchor.volume)
        known = dict(volumes)
        for finding in Recovery(self._store, self.label).findings(recollection):
            match finding:
                case VolumeSeen(record) | VolumeTouched(record, _) | VolumeChanged(record, _):
                    known[record.name] = record
                case _:
                    pass
            yield finding
        self._known = known

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other runs of this machine out; raises ``locked`` after a bounded wait.

        What another machine puts there at the same time does no harm: it has other names, or the same bytes.
        """
        path = self._state_dir / "locks" / f"s3-{key_of(self.identity)}.lock"
        with lock_file(path, self._lock_timeout, Device(), self.label):
            try:
                yield
            finally:
                self._let_go()

    def find(self, messages: Sequence[Message], known: KnownPlaces) -> Iterator[Found]:
        """Find nothing: ``recover`` has found all that stands here."""
        del messages, known
        return iter(())

    # ---------------------------------------------------------------------------------- begin and store

    def begin(self, messages: Sequence[Message]) -> Anchor:
        """Put the batch together and say what it will be called."""
        self._let_go()
        self._built = build(messages, self._state_dir, self._clock())
        self._step("s3.object-built")
        return MboxAnchor(self._built.name, 0)

    def copy_key(self, message: Message) -> bytes:
        """Return nothing: what stands in an object is recognised by its bytes."""
        del message
        return b""

    def store(self, messages: Sequence[Message]) -> Stored:
        """Put the batch just begun, whole; on return the store has said that it is safe.

        Where its name is taken, what stands there is read: mostly it is this very batch. Other bytes are left as they
        are, and the batch gets a number behind its name.
        """
        if not messages:
            return Stored(())
        if self._built is None:
            self.begin(messages)
        built = self._built
        if built is None:  # cannot be
            raise AssertionError
        try:
            stored = self._put(built)
            self._step("s3.object-stored")
        finally:
            self._let_go()
        record = VolumeRecord(stored.name, built.octets, built.tail_digest, stored.stamp, VolumeState.CLOSED)
        if self._known is not None:
            self._known[record.name] = record
        return Stored(built.locators(stored.name), (record,))

    def _put(self, built: BuiltObject) -> Listed:
        for number in range(1, _NAMES_FOR_ONE_BATCH + 1):
            name = built.name if number == 1 else f"{built.digest.hex()}-{number}{ENDING}"
            stored = self._store.put(name, built.content, built.octets, built.md5) or self._equal(name, built)
            if stored is not None:
                return stored
        problem = f"the objects {self._store.url(built.digest.hex())}… do not hold what their names say"
        raise FerryError(Kind.ARCHIVE, problem, cure="look at what writes there beside mailferry, and take them away")

    def _equal(self, name: str, built: BuiltObject) -> Listed | None:
        """Return what stands under a name where that is this batch, byte for byte."""
        seen = self._store.look(name)
        if seen is None or seen.octets != built.octets:
            return None
        digest = sha256()
        for piece in pieces(self._store, name, 0, seen.octets):
            digest.update(piece)
        return seen if digest.digest() == built.digest else None

    def _let_go(self) -> None:
        if self._built is not None:
            self._built.close()
        self._built = None

    # ----------------------------------------------------------------------------------- read and probe

    def read(self, locators: Sequence[Locator]) -> Iterator[Body | FerryError]:
        """Yield what stands at each locator now, in order, asked of the store afresh.

        Damage to a record's frame, and an object that is not there, is a ``mismatch``. A long message comes as a body
        that is read while it is consumed. Anything else that the store says concerns it as a whole and is raised;
        where nothing at all stands there, that is ``AwayError``.
        """
        return read_records(self._store, locators, lambda: Recovery(self._store, self.label).away(len(locators)))

    def count_missing(self, locators: Sequence[Locator]) -> int:
        """Return 0: nobody takes a message out of an object without changing it, which ``recover`` tells."""
        del locators
        return 0

    def as_it_is(self, name: str) -> VolumeRecord | None:
        """Return an object as it stands there now, whatever is known of it; None where it does not."""
        seen = self._store.look(name)
        if seen is None:
            return None
        return record_of(Window(self._store, name, seen.octets), seen)

    def probe(self) -> dict[str, object]:
        """Say where the archive is, and what is there; changes nothing. Whether it may be written is not tried."""
        octets = count = 0
        for one in self._store.listing():
            octets += one.octets
            count += 1
        versions = self._store.keeps_versions()
        kept = {} if versions is None else {"keeps_versions": versions}
        return {
            "place": self._store.url(""),
            "bucket": self.settings.bucket,
            "objects": count,
            "bytes": octets,
            **kept,
        }

    def close(self) -> None:
        """Let go of the connections and of what was not stored; never raises."""
        self._let_go()
        self._store.close()
