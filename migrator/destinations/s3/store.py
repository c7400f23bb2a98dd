"""Requests to an object store: list, look, read a range, put whole or in parts. Each fails as a ``FerryError``.

What is put is whole or absent, and is never put over something else (``If-None-Match: *``, RFC 9110, section 13.1.2).
A store that does not know that condition is asked first whether the name is free: the name says what the bytes are, so
that two writers at the same moment do no harm either. What comes of a range is as long as it should be, or shorter only
where the object ends: an answer that broke off is asked for again.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import IO, Any, NamedTuple, TypeVar

from migrator.backoff import STORE
from migrator.destinations.s3.client import open_client
from migrator.destinations.s3.failures import StoreError, translated
from migrator.destinations.s3.settings import S3Settings
from migrator.errors import FerryError, Kind, StoppedError
from migrator.files import Step
from migrator.net.patience import BREATH, Halt, Stop

PART_OCTETS = 64 << 20
"""A larger object is put in parts of this size: a single PUT takes 5 GB at most, and a broken one begins again."""

PIECE_OCTETS = 1 << 20
"""How much of an answer is read at once."""

ENDING = ".mbox"

PATIENCE = 60.0
"""Seconds after which nothing is tried again. The last try may take as long as all addresses of a store, or its
silence, do: so a dead store is given up within 90 seconds, and a silent one within four minutes."""

_PASSING = frozenset({Kind.CONNECT, Kind.TIMEOUT, Kind.TEMPORARY})
_Answer = TypeVar("_Answer")


class Listed(NamedTuple):
    """An object as the store shows it: its name without the prefix, its size, and what changes with its bytes."""

    name: str
    octets: int
    tag: str

    @property
    def stamp(self) -> str:
        """What an object is known to be untouched by."""
        return f"{self.tag}:{self.octets}" if self.tag else ""


class ObjectStore:
    """One prefix of a bucket; connects when it is first asked. ``step`` hears of each part that is safe."""

    def __init__(
        self,
        settings: S3Settings,
        *,
        step: Step,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._step = step
        self._clock = clock
        self._sleep = sleep
        self._prefix = f"{settings.prefix.strip('/')}/".removeprefix("/")
        self._client: Any = None  # the SDK has no types
        self._secrets: tuple[bytes, ...] = ()
        self._knows_condition = True
        self._halt = Halt()
        self._stops_at: float | None = None

    def heed(self, stop: Stop) -> None:
        """Ask nothing more a breath after this is set: ``StoppedError``. An answer under way is waited for."""
        self._halt.heeds = stop

    def guard(self, check: Callable[[], None]) -> None:
        """Call this before each request that puts something; where it raises, nothing is put."""
        self._halt.guard = check

    def url(self, name: str) -> str:
        """Return what people and programs call an object."""
        return f"s3://{self._settings.bucket}/{self._prefix}{name}"

    def close(self) -> None:
        """Let go of the connections; never raises."""
        with suppress(Exception):
            if self._client is not None:
                self._client.close()
        self._client = None

    # -------------------------------------------------------------------------------------------- looking

    def listing(self) -> Iterator[Listed]:
        """Yield the objects right under the prefix that are called like an mbox, in the order of their names."""
        more: dict[str, str] = {}
        while True:
            page = self._ask("list_objects_v2", Prefix=self._prefix, Delimiter="/", **more)
            for one in page.get("Contents", ()):
                name = str(one["Key"]).removeprefix(self._prefix)
                if name.endswith(ENDING):
                    yield Listed(name, int(one["Size"]), _tag(one))
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def look(self, name: str) -> Listed | None:
        """Return what stands under a name, None where nothing does. Raises ``bucket-missing`` where nothing can."""
        try:
            answer = self._ask("head_object", Key=self._prefix + name)
        except StoreError as error:
            if not error.is_absent:
                raise
            self._ask("head_bucket")  # the answer to HEAD does not say which of the two is not there
            return None
        return Listed(name, int(answer["ContentLength"]), _tag(answer))

    def bucket(self) -> None:
        """Raise what keeps this prefix from being used for reading and looking."""
        self._ask("list_objects_v2", Prefix=self._prefix, MaxKeys=1)

    def keeps_versions(self) -> bool | None:
        """Say whether what is deleted or put over stays to be had again; None where the keys may not know."""
        try:
            return bool(self._ask("get_bucket_versioning").get("Status") == "Enabled")
        except StoreError:
            return None

    # -------------------------------------------------------------------------------------------- reading

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Return a range of an object; shorter only where the object ends. Raises a ``StoreError`` that ``is_absent``.

        A range is small: it is held in memory.
        """
        if size <= 0:
            return b""
        try:
            return self._tried(lambda: self._read(name, offset, size))
        except StoreError as error:
            if error.is_beyond_the_end:
                return b""
            raise

    def _read(self, name: str, offset: int, size: int) -> bytes:
        wanted = f"bytes={offset}-{offset + size - 1}"
        answer = self._ask_once("get_object", Key=self._prefix + name, Range=wanted)
        is_whole = "ContentRange" not in answer  # a store that knows no ranges
        with closing(answer["Body"]) as body, self._failures():
            left = offset if is_whole else 0
            while left and (skipped := body.read(min(left, PIECE_OCTETS))):
                left -= len(skipped)
            data: bytes = body.read(size)
            there = _there(answer, offset, size, is_whole=is_whole)
        if len(data) != there:
            what = f"{self.url(name)} broke off: {len(data):,} of {there:,} bytes came"
            raise FerryError(Kind.TEMPORARY, what, cure="the next run tries again").blame(self._settings.server)
        return data

    # -------------------------------------------------------------------------------------------- putting

    def put(self, name: str, content: IO[bytes], octets: int, md5: str) -> Listed | None:
        """Put an object; None where one of this name stands there already, which is left as it is.

        On return it is durable. ``content`` is read from its beginning; ``md5`` (in base64) lets the store refuse what
        came over the line altered.
        """
        if self._knows_condition:
            try:
                return self._put(name, content, octets, md5, IfNoneMatch="*")
            except StoreError as error:
                if error.is_there_already:
                    return None
                if not error.may_be_the_condition:
                    raise
        if self.look(name) is not None:
            return None
        put = self._put(name, content, octets, md5)
        self._knows_condition = False  # it took the same without
        return put

    def _put(self, name: str, content: IO[bytes], octets: int, md5: str, **condition: str) -> Listed:
        if octets > PART_OCTETS:
            return self._put_parts(name, content, octets, **condition)
        self._halt.guard()
        answer = self._ask(
            "put_object",
            Key=self._prefix + name,
            Body=content,
            ContentLength=octets,
            ContentMD5=md5,
            ContentType="application/mbox",
            **condition,
        )
        return Listed(name, octets, _tag(answer))

    def _put_parts(self, name: str, content: IO[bytes], octets: int, **condition: str) -> Listed:
        key = self._prefix + name
        upload = self._ask("create_multipart_upload", Key=key, ContentType="application/mbox")["UploadId"]
        self._step("s3.parts-begun")
        try:
            parts = []
            for number, start in enumerate(range(0, octets, PART_OCTETS), 1):
                self._halt.guard()
                part = Slice(content, start, min(PART_OCTETS, octets - start))
                answer = self._ask("upload_part", Key=key, UploadId=upload, PartNumber=number, Body=part)
                parts.append({"PartNumber": number, "ETag": answer["ETag"]})
                self._step("s3.part-stored")
            self._halt.guard()
            answer = self._ask(
                "complete_multipart_upload", Key=key, UploadId=upload, MultipartUpload={"Parts": parts}, **condition
            )
        except BaseException:
            with suppress(FerryError):
                self._ask("abort_multipart_upload", Key=key, UploadId=upload)
            raise
        return Listed(name, octets, _tag(answer))

    def forget_parts(self, name: str) -> None:
        """Have the store throw away the parts of an object that was never joined: they cost, and nobody sees them."""
        with suppress(FerryError):  # without the right to, or in a store that keeps no such list, they stay
            for one in self._ask("list_multipart_uploads", Prefix=self._prefix + name).get("Uploads", ()):
                if one["Key"] == self._prefix + name:
                    self._ask("abort_multipart_upload", Key=one["Key"], UploadId=one["UploadId"])

    # -------------------------------------------------------------------------------------------- asking

    def _ask(self, operation: str, **words: object) -> Any:  # noqa: ANN401  # the SDK has no types
        return self._tried(lambda: self._ask_once(operation, **words))

    def _tried(self, call: Callable[[], _Answer]) -> _Answer:
        """Call again what may pass by itself, a few times and no longer than the contract waits for a dead server."""
        until = self._clock() + PATIENCE
        for pause in STORE:
            try:
                return call()
            except FerryError as error:
                if error.kind not in _PASSING or self._clock() + pause >= until:
                    raise
            self._halt.pause(self._sleep, pause)
        return call()

    def _ask_once(self, operation: str, **words: object) -> Any:  # noqa: ANN401  # as above
        self._refuse_if_stopped()
        if isinstance(body := words.get("Body"), io.IOBase):
            body.seek(0)
        if self._client is None:
            self._client, self._secrets = open_client(self._settings)
        with self._failures():
            return getattr(self._client, operation)(Bucket=self._settings.bucket, **words)

    def _failures(self) -> _Failures:
        return _Failures(self._settings, self._secrets)

    def _refuse_if_stopped(self) -> None:
        if self._halt.is_set():
            now = self._clock()
            self._stops_at = now + BREATH if self._stops_at is None else self._stops_at
            if now >= self._stops_at:
                raise StoppedError


class _Failures(NamedTuple):
    """Turns what the SDK raises inside into errors of ours."""

    settings: S3Settings
    secrets: tuple[bytes, ...]

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, FerryError):
            raise translated(self.settings, error, self.secrets) from None


class Slice(io.RawIOBase):
    """A part of a file as a file of its own, as the SDK wants it: it is read, and read again where a try failed."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        super().__init__()
        self._file = file
        self._start = start
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Return the place within the part."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place within the part."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """Read from the part, to its end at most."""
        left = max(0, self._size - self._at)
        self._file.seek(self._start + self._at)
        data = self._file.read(left if size is None or size < 0 else min(size, left))
        self._at += len(data)
        return data


def _tag(answer: Any) -> str:  # noqa: ANN401  # the SDK has no types
    return str(answer.get("ETag") or "").strip('"')


def _there(answer: Any, offset: int, size: int, *, is_whole: bool) -> int:  # noqa: ANN401  # as above
    """Return how many bytes of the range an answer should have."""
    if is_whole:
        return max(0, min(size, int(answer["ContentLength"]) - offset))
    total = str(answer["ContentRange"]).rpartition("/")[2]
    return min(size, int(total) - offset) if total.isdigit() else size
