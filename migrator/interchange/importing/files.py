"""A file of any kind: what it holds, by itself or packed in another.

Each form has its reader; what is written otherwise (lines that end in CR, UTF-16, compressed) passes through the spool
and is taken again. What is damaged is named, member by member.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from migrator.errors import FerryError
from migrator.interchange.importing import apple_partial, packing
from migrator.interchange.importing.items import NO_MARKS, FoundMessage, Item, LeftOut, Marks
from migrator.interchange.importing.layout import Layout
from migrator.interchange.importing.marks import has_maildir_info, of_maildir
from migrator.interchange.importing.mbox import first_border, messages_of
from migrator.interchange.importing.recognising import (
    BEGINNING_OCTETS,
    OLM,
    Form,
    foreign_mail,
    form_of,
    has_foreign_name,
    has_mail_name,
    no_mail_by_name,
)
from migrator.interchange.importing.rmail import babyl_messages, mmdf_messages
from migrator.interchange.importing.single import apple_message_at, message_at
from migrator.interchange.mail_files import Variant
from migrator.lazy_dataclasses import dataclass
from migrator.ui.sanitize import line

_DEEPEST = 4
"""How many times something packed may stand in something packed."""

_END_MISSING = "it is packed, and its end is missing: what could be read was taken"
_NO_MAIL = "it does not look like mail"
_MAY_BE_MAIL = "it is named as files with mail are, and nothing in it is known for mail"


@dataclass(frozen=True, slots=True)
class File:
    """A file to be read: where it is, where it stands for a person, and what its name there is."""

    path: Path
    place: str
    name: str
    marks: Marks = NO_MARKS
    is_in_maildir: bool = False
    depth: int = 0

    @property
    def is_by_itself(self) -> bool:
        """Whether it stands where its name says, with what belongs to it beside it."""
        return self.depth == 0


@dataclass(frozen=True, slots=True)
class Files:
    """Reads files. ``variant`` is the dialect of mbox files, if known; what is packed passes through ``spool``."""

    variant: Variant | None
    spool: Path

    def items(self, file: File) -> Iterator[Item]:
        """Yield what a file holds."""
        with file.path.open("rb") as content:
            beginning = content.read(BEGINNING_OCTETS)
        match form := form_of(beginning, file.name):
            case Form.PACKED:
                yield from self._packed(file)
            case Form.UTF16:
                yield from self._utf16(file, beginning)
            case Form.CR_ONLY:
                yield from self._again(file, partial(packing.with_line_feeds, file.path))
            case _ if file.is_in_maildir:
                yield from message_at(file.path, file.place, file.marks, has_lf=True)
            case Form.ZIP | Form.TAR:
                yield from self._archive(file, form)
            case _:
                yield from self._mail(file, form, beginning)

    def _mail(self, file: File, form: Form, beginning: bytes) -> Iterator[Item]:
        """Take what can be read as it is."""
        match form:
            case Form.MBOX:
                yield from messages_of(file.path, file.place, self.variant)
            case Form.MMDF:
                yield from mmdf_messages(file.path, file.place)
            case Form.BABYL:
                yield from babyl_messages(file.path, file.place)
            case Form.MESSAGE:
                yield from message_at(file.path, file.place, file.marks)
            case Form.EMLX:
                yield from self._apple(file)
            case _:
                yield from self._no_mail(file, form, beginning)

    def _no_mail(self, file: File, form: Form, beginning: bytes) -> Iterator[Item]:
        """Name what is not taken; an mbox may still stand behind something else."""
        if form is Form.FOREIGN:
            yield LeftOut(file.place, foreign_mail(beginning, file.name), is_trouble=True)
        elif form is Form.EMPTY:
            yield LeftOut(file.place, "it is empty", is_trouble=file.name.lower().endswith((".eml", ".emlx")))
        elif form is Form.BLANK:
            is_trouble = has_mail_name(file.name) or len(beginning) == BEGINNING_OCTETS
            reason = "" if is_trouble else no_mail_by_name(file.name)
            yield LeftOut(file.place, reason or "it holds nothing but blank lines or NULs", is_trouble=is_trouble)
        elif has_mail_name(file.name) and (start := first_border(beginning)):
            yield from messages_of(file.path, file.place, self.variant, start=start)
            yield LeftOut(
                file.place, f"its first {start:,} bytes are not mail; what follows was taken", is_trouble=True
            )
        else:
            is_trouble = has_mail_name(file.name) or has_foreign_name(file.name)
            reason = _MAY_BE_MAIL if is_trouble else no_mail_by_name(file.name) or _NO_MAIL
            yield LeftOut(file.place, reason, is_trouble=is_trouble)

    def _again(self, file: File, write: Callable[[IO[bytes]], None]) -> Iterator[Item]:
        """Take a file in another form, in which ``write`` writes it."""
        with packing.spooled(self.spool, write) as path:
            yield from self.items(_deeper(file, path))

    def _utf16(self, file: File, beginning: bytes) -> Iterator[Item]:
        text = beginning[: len(beginning) // 2 * 2].decode("utf-16", "replace").encode("utf-8", "replace")
        form = form_of(text, file.name)
        if form in (Form.MBOX, Form.MESSAGE, Form.CR_ONLY):
            yield from self._again(file, partial(packing.as_utf8, file.path))
        else:
            yield LeftOut(file.place, _NO_MAIL, is_trouble=has_mail_name(file.name) or file.is_in_maildir)

    def _apple(self, file: File) -> Iterator[Item]:
        if not apple_partial.is_partial(file.name):
            yield from apple_message_at(file.path, file.place)
        elif not file.is_by_itself:
            yield LeftOut(file.place, "its attachments stand beside it: unpack the archive first", is_trouble=True)
        else:
            yield from self._apple_partial(file)

    def _apple_partial(self, file: File) -> Iterator[Item]:
        [item] = apple_message_at(file.path, file.place)
        content = apple_partial.message_bytes(file.path)
        if not isinstance(item, FoundMessage) or content is None:
            yield item
            return
        whole = apple_partial.Whole(apple_partial.attachments_of(file.path))
        with packing.spooled(self.spool, lambda spool: _written(whole.pieces(content), spool)) as path:
            doubt = whole.doubt or item.doubt
            for one in message_at(path, file.place, item.marks):
                yield FoundMessage(one.place, one.message, one.marks, doubt) if isinstance(one, FoundMessage) else one

    # ------------------------------------------------------------------------------------------- what is packed

    def _packed(self, file: File) -> Iterator[Item]:
        """Unpack a compressed file, which may be a tar."""
        if file.depth >= _DEEPEST:
            yield LeftOut(file.place, "it is packed too many times: unpack it first", is_trouble=True)
            return
        open_stream = partial(packing.open_packed, file.path)
        open_stream().close()
        if not file.is_in_maildir and packing.is_tar(open_stream):
            yield from self._members(file, packing.tar_names(open_stream), packing.tar_members(open_stream))
            return
        cut: list[bool] = []
        try:
            is_all = file.is_in_maildir or has_mail_name(_unpacked_name(file.name))
            yield from self._again(file, lambda spool: _unpacked(open_stream, spool, cut, is_all=is_all))
        except (*packing.DAMAGE, OSError) as error:
            yield LeftOut(file.place, f"it is packed, and cannot be unpacked: {_words(error)}", is_trouble=True)
        if cut:
            yield LeftOut(file.place, _END_MISSING, is_trouble=True)

    def _archive(self, file: File, form: Form) -> Iterator[Item]:
        if file.depth >= _DEEPEST:
            yield LeftOut(file.place, "it is packed too many times: unpack it first", is_trouble=True)
            return
        try:
            if form is Form.TAR:
                open_stream = partial(packing.open_plain, file.path)
                yield from self._members(file, packing.tar_names(open_stream), packing.tar_members(open_stream))
                return
            names = packing.zip_names(file.path)
            if any("com.microsoft.__" in name for name in names):
                yield LeftOut(file.place, OLM, is_trouble=True)
            else:
                yield from self._members(file, names, packing.zip_members(file.path))
        except (*packing.DAMAGE, ValueError) as error:
            yield LeftOut(file.place, f"the {form.value[2:]} cannot be read: {_words(error)}", is_trouble=True)

    def _members(self, file: File, names: Iterable[str], members: Iterator[packing.Member]) -> Iterator[Item]:
        layout = Layout.of(names)
        try:
            for member in members:
                yield from self._member(file, member, layout)
        except (*packing.DAMAGE, ValueError, OSError) as error:
            yield LeftOut(file.place, f"what follows in it cannot be read: {_words(error)}", is_trouble=True)

    def _member(self, file: File, member: packing.Member, layout: Layout) -> Iterator[Item]:
        inside = PurePosixPath(member.name)
        shown = f"{file.place}!{line(member.name, limit=300)}"
        if layout.is_left_out(inside):
            return
        if "__MACOSX" in inside.parts:
            yield LeftOut(shown, "it is what a Mac adds to files, not mail", is_trouble=False)
            return
        is_in_maildir = layout.is_in_maildir(inside)
        is_marked = is_in_maildir or has_maildir_info(inside.name)
        marks = of_maildir(inside.name, member.modified) if is_marked else NO_MARKS
        try:
            is_all = is_in_maildir or has_mail_name(inside.name)
            with packing.spooled(self.spool, lambda spool: member.copy(spool, is_all)) as path:
                yield from self.items(File(path, shown, inside.name, marks, is_in_maildir, file.depth + 1))
        except (*packing.DAMAGE, ValueError, OSError) as error:
            yield LeftOut(shown, f"it cannot be unpacked: {_words(error)}", is_trouble=True)
        except FerryError as error:
            yield LeftOut(shown, str(error), is_trouble=True)


def _deeper(file: File, path: Path) -> File:
    return File(path, file.place, _unpacked_name(file.name), file.marks, file.is_in_maildir, file.depth + 1)


def _unpacked_name(name: str) -> str:
    for ending in (".gz", ".bz2", ".xz", ".lzma", ".zst"):
        name = name.removesuffix(ending)
    return name


def _unpacked(open_stream: Callable[[], IO[bytes]], spool: IO[bytes], cut: list[bool], *, is_all: bool) -> None:
    try:
        with open_stream() as stream:
            packing.poured(stream, spool, is_all)
    except packing.CutError:
        cut.append(True)


def _written(pieces: Iterable[bytes], spool: IO[bytes]) -> None:
    for piece in pieces:
        spool.write(piece)


def _words(error: Exception) -> str:
    return line(str(getattr(error, "strerror", None) or str(error) or type(error).__name__), limit=200)
