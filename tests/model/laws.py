"""What must hold after every command, judged from files, the mailbox in memory and the wire, never by the program.

*Kept.* A command takes no message out of a place. Places are the configured destinations, those that were, and what
``restore`` fills.

*Once.* After a command no message stands more often in a folder than once, or than it stood before: what a person put
there twice (two folders merged, an old archive put back) stays her doing, and no command may add to it. A folder that
was put in the stead of one that is away counts by itself until a person merges them.

*Known.* What a command stores is what somebody sent.

*Deleted.* A session deletes at the source what it has read there itself (the servers judge that) and what stands in
every place that is configured, byte for byte, or as ``proof = "canonical"`` allows. A place that lost its copy
before, by whomever, is no excuse, but for what a person accepted.

*Ok.* ``migrate`` says ok, with exit code 0, only if each message that the source showed, and each that another
configured place holds, is in every place; or was, until it was taken out. Not asked for: what only an IMAP folder
holds when the ledger that knew of it is gone; mail of other people; and, where nothing is deleted, a message that has
taken the place of another under the same unique-id and octets (docs/promises.md).

*Told.* ``verify`` and ``rebuild-ledger`` end with 0 only if no message is missing in a folder of files which a run that
was ok has known there (until one of them, or ``repair``, has told that it is missing).

*Dry.* A dry run changes no file. *Limits.* ``--max-delete`` is kept.

*Cured.* After ``verify``, ``repair`` and a run, each mbox has whatever another place has.

*Left out.* What a person took out of a mailbox or Maildir is not stored there again where ``when_copy_is_gone = "keep"``.
*Clock.* The first run after a leap of the clock deletes nothing by its age.

*Numbers.* The JSON adds up; what the ledger keeps is what counting gives. *Sound.* No traceback, no ``internal``, no
exit code that the contract does not know.

*Calm.* When all is up and there, three runs (and, where the history gave cause, ``repair``) end with ok or with
errors for which the history gave cause.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.kept_numbers import wrongly_kept
from tests.model.places import FolderPlace, ImapPlace, Place, parts, same, short
from tests.servers.mailboxes import unaltered
from tests.servers.pop3 import Removal

if TYPE_CHECKING:
    from tests.model.stage import Played
    from tests.model.world import World


class BrokenLawError(AssertionError):
    """A law does not hold. ``law`` is its name."""

    def __init__(self, law: str, words: str) -> None:
        super().__init__(f"{law}: {words}")
        self.law = law


@dataclass(frozen=True, slots=True)
class Run:
    """A migrate that is to be judged, and what was wrong with the source in it."""

    fault: str
    deletes_at_most: int | None = None
    is_whole: bool = True
    """Whether all that is shown is to be copied: no limit was given."""


@dataclass(frozen=True, slots=True)
class Look:
    """What stood everywhere at one moment."""

    parts: dict[str, list[Counter[bytes]]]
    removed: int


@dataclass(slots=True)
class Memory:
    """What has to be remembered to judge: ``may_report`` grows with what the history gives cause for.

    ``foreign`` is other people's mail; ``forgotten`` what stood in IMAP folders when the ledger went that knew it;
    ``accepted`` what a person left as it is; ``known_in`` what the ledger knows of a place; ``gone_whole`` places deleted as a whole since; ``met`` every content that a session was shown under a unique-id and octets. ``is_ignorant`` while no run has ended
    since the ledger was lost or became an older one.
    """

    may_report: set[str] = field(default_factory=set)
    foreign: set[bytes] = field(default_factory=set)
    accepted: set[bytes] = field(default_factory=set)
    known_in: dict[str, set[bytes]] = field(default_factory=dict)
    gone_whole: set[str] = field(default_factory=set)
    has_leapt: bool = False
    is_ignorant: bool = True
    forgotten: dict[str, set[bytes]] = field(default_factory=dict)
    met: dict[tuple[bytes, int], set[bytes]] = field(default_factory=dict)


class Laws:
    """Judges one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.memory = Memory()
        self.taken_meanwhile: set[tuple[str, bytes]] = set()
        """What a person took out of which place while the command ran."""

    def look(self) -> Look:
        """See what stands everywhere."""
        world = self._world
        return Look({name: list(parts(place)) for name, place in world.places.items()}, len(world.server.removed))

    def knowledge_was_lost(self) -> None:
        """Note that the ledger does not know any more what an IMAP folder holds: nobody can, without it.

        Nor can anybody tell then whether a message in an archive was changed: it is a message like any other.
        """
        self.memory.is_ignorant = True
        self.memory.known_in.clear()
        self.memory.gone_whole.clear()
        self.what_stands_passes()
        for place in self._world.places.values():
            if isinstance(place, ImapPlace):
                self.memory.forgotten[place.name] = {same(one) for one in place.messages()}

    def what_stands_passes(self) -> None:
        """Take what stands anywhere for somebody's mail, where no ledger can tell that it was changed."""
        if self.memory.is_ignorant:
            sent = {same(one) for one in self._world.post.sent}
            for place in self._world.places.values():
                self.memory.foreign |= {same(one) for one in place.messages()} - sent

    def judge(self, arguments: Sequence[str], played: Played, before: Look, run: Run | None) -> None:
        """Hold what a command did to the laws."""
        after = self.look()
        self._sound(arguments, played)
        self._kept(before, after)
        self._once(before, after)
        self._known(before, after, is_killed=played.was_killed)
        self._deleted(before)
        if run is not None:
            self._within_limits(run, before)
            self._at_its_time(before)
            self._left_out(before, after)
        for place in self._world.places.values():
            place.taken -= {same(one) for one in place.messages()}
        if run is not None and not played.was_killed:
            self.memory.is_ignorant = False
            statuses = self._numbers(played)
            if statuses and all(status == "ok" for status in statuses) != (played.code == 0):
                raise BrokenLawError("ok", f"status {statuses} with exit code {played.code}")
            if played.code == 0 and run.is_whole:
                self._ok(run)
                for place in self._world.configured:
                    self._is_known(place)
        self._told(arguments[0], played)
        if wrong := wrongly_kept(self._world.state):
            raise BrokenLawError("numbers", f"kept and counted: {wrong}")
        self._meet()

    def _is_known(self, place: Place) -> None:
        """Note what the ledger knows of a place after a run that was ok: of one that is away, what it knew before.

        And what stands in its stead. What is away was there for no run since its ledger was lost: nobody can know it.
        """
        if not place.is_away:
            self.memory.known_in[place.name] = {same(one) for one in place.messages()}
        elif isinstance(place, FolderPlace) and place.path.is_dir():
            self.memory.known_in.setdefault(place.name, set()).update(same(one) for one in place.read(place.path))

    def _sound(self, arguments: Sequence[str], played: Played) -> None:
        said = played.out + played.err
        is_retried_in_vain = arguments[:2] == ["quarantine", "--retry"] and " leaves it so" in said
        is_in_vain = "there is no ledger" in said or is_retried_in_vain or arguments[0] == "moved"
        if not played.was_killed and played.code not in {0, 1} and not is_in_vain:  # which is wrong usage, and true
            raise BrokenLawError("sound", f"{arguments[0]} ends with {played.code}: {said[-600:]}")
        if "Traceback" in said or "internal" in said:
            raise BrokenLawError("sound", f"{arguments[0]}: {said[-600:]}")

    def _kept(self, before: Look, after: Look) -> None:
        known = {same(one) for one in self._world.post.sent} | self.memory.foreign
        for name, held in before.parts.items():
            lost = sum(held, Counter()) - sum(after.parts[name], Counter())
            if gone := [one for one in lost if one in known and (name, one) not in self.taken_meanwhile]:
                raise BrokenLawError("kept", f"{_words(gone)} went out of {name}")

    def _once(self, before: Look, after: Look) -> None:
        for name, held in after.parts.items():
            earlier = before.parts[name]
            for number, part in enumerate(held):
                stood = earlier[number] if number < len(earlier) else Counter[bytes]()
                if more := [one for one, times in part.items() if times > max(1, stood[one])]:
                    raise BrokenLawError("once", f"{_words(more)} stands twice in {name}")

    def _known(self, before: Look, after: Look, *, is_killed: bool) -> None:
        known = {same(one) for one in self._world.post.sent} | self.memory.foreign
        for name, held in after.parts.items():
            stood = {one for part in before.parts[name] for one in part}
            strange = [one for part in held for one in part if one not in known | stood]
            if len(strange) > is_killed:
                raise BrokenLawError("known", f"{name} holds what nobody sent: {strange[0][:80]!r}")

    def _deleted(self, before: Look) -> None:
        server = self._world.server
        if server.violations:
            raise BrokenLawError("deleted", f"on the wire: {server.violations[0]}")
        for removal in server.removed[before.removed :]:
            if removal.content in self.memory.accepted:
                continue
            for place in self._world.configured:
                if (place.name, same(removal.content)) in self.taken_meanwhile:
                    continue
                is_accepted = self._world.settings.gone == "accept" and same(removal.content) in place.taken
                looked_so = self._looked_the_same(removal, place)
                if not self._stands(place, removal.content) and not is_accepted and not looked_so:
                    raise BrokenLawError(
                        "deleted", f"{_words([removal.content])} was deleted at the source and is not in {place.name}"
                    )

    def _within_limits(self, run: Run, before: Look) -> None:
        """See that no more is deleted than a person allowed."""
        gone = len(self._world.server.removed) - before.removed
        if run.deletes_at_most is not None and gone > run.deletes_at_most * (1 + self._world.settings.has_bob):
            raise BrokenLawError("limits", f"{gone} were deleted with --max-delete {run.deletes_at_most}")

    def nothing_changed(self, before: dict[str, bytes], after: dict[str, bytes]) -> None:
        """Hold a dry run to its word."""
        if changed := [name for name in before | after if before.get(name) != after.get(name)]:
            raise BrokenLawError("dry", f"a dry run changed {', '.join(changed[:4])}")

    def cured(self, verified: Played) -> None:
        """See that after ``repair`` every mbox archive has what the source or another place could give, and says so."""
        world = self._world
        everything = {one for place in world.configured for one in self._held(place)}
        for place in world.configured:
            lacking = {one for one in everything if not place.has(one, exactly=True)}
            if place.kind == "mbox" and (lacking := lacking - self.memory.accepted - self._unread()):
                raise BrokenLawError(
                    "cured", f"{_words(sorted(lacking))} is in another place, and after repair not in {place.name}"
                )
        hopeless = {key for place in world.configured for key in place.taken} - {same(one) for one in everything}
        is_altered = world.mail.mailboxes.alters is not unaltered or "unproven" in self.memory.may_report
        if verified.code and not hopeless and not is_altered and not any(p.taken for p in world.configured):
            raise BrokenLawError("cured", f"verify still ends with {verified.code}: {verified.out[:300]}")

    def _unread(self) -> set[bytes]:
        """What stands in another place in no form that can be copied from there."""
        return {
            one
            for one in self._world.post.sent
            if not any(place.has(one, exactly=True) for place in self._world.configured)
        }

    def _at_its_time(self, before: Look) -> None:
        """See that no age is told by a clock that has just made a leap."""
        has_leapt, self.memory.has_leapt = self.memory.has_leapt, False
        gone = self._world.server.removed[before.removed :]
        if has_leapt and gone and self._world.settings.leave == '"2 days"':
            raise BrokenLawError(
                "clock", f"{_words([gone[0].content])} was deleted by its age after a leap of the clock"
            )

    def is_unknown(self, place: Place) -> None:
        """Note that a place has another name now: nobody can know what it holds, nor what was taken out of it before."""
        self.memory.known_in.pop(place.name, None)
        self.memory.gone_whole.discard(place.name)
        if isinstance(place, ImapPlace):
            self.memory.forgotten[place.name] = {same(one) for one in place.messages()}

    def is_deleted(self, place: Place) -> None:
        """Note that somebody deletes a whole place, which no run may pass over in silence if it knew of mail there."""
        is_inbox = place.kind == "imap" and len(place.messages()) < 10  # it is there still, only empty
        if self.memory.known_in.get(place.name) and not is_inbox:
            self.memory.gone_whole.add(place.name)

    def _left_out(self, before: Look, after: Look) -> None:
        """See that what a person took out is not stored again, where it is to stay out."""
        if self._world.settings.gone != "keep":
            return
        for place in self._world.configured:
            if place.kind != "mbox" and place.name not in self.memory.gone_whole:
                known = self.memory.known_in.get(place.name, set()) & place.taken
                again = known & set(sum(after.parts[place.name], Counter())) - set(
                    sum(before.parts[place.name], Counter())
                )
                if again:
                    raise BrokenLawError("left out", f"{_words(sorted(again))} was stored again in {place.name}")

    def _looked_the_same(self, removal: Removal, place: Place) -> bool:
        """Whether only the body tells it from what stands there, and the account's proof is by headers."""
        header = removal.content.partition(b"\r\n\r\n")[0]
        return self._world.settings.proof == "headers" and any(
            one.startswith(header + b"\r\n\r\n") and len(one) == len(removal.content) for one in place.messages()
        )

    def _stands(self, place: Place, content: bytes) -> bool:
        is_exact = place.kind != "imap" or self._world.settings.imap_proof == "exact"
        return place.has(content, exactly=is_exact)

    def _told(self, command: str, played: Played) -> None:
        if played.was_killed or command not in {"verify", "rebuild-ledger", "repair"}:
            return
        known = self.memory.known_in
        if played.code == 0 and command != "repair":
            for place in self._world.configured:
                gone = known.get(place.name, set()) & (
                    place.taken if not place.is_away else known.get(place.name, set())
                )
                if place.kind == "mbox" and gone:
                    raise BrokenLawError(
                        "told", f"{command} ends with 0, and {_words(sorted(gone))} is not in {place.name}"
                    )
        elif command != "verify":
            known.clear()
            self.memory.gone_whole.clear()

    def _numbers(self, played: Played) -> list[str]:
        """Hold the numbers of each account to their sums; return how each account ended."""
        accounts: list[dict[str, Any]] = json.loads(played.out).get("accounts", [])
        parts_of_new = ("copied", "duplicates", "skipped", "failed", "remaining")
        for account in accounts:
            if (
                account["listed"] != account["known"] + account["new"]
                or account["new"] != sum(account[part] for part in parts_of_new)
                or min(account[part] for part in (*parts_of_new, "listed", "known", "new", "verified", "deleted")) < 0
            ):
                raise BrokenLawError(
                    "numbers", f"{ {key: value for key, value in account.items() if key != 'errors'} }"
                )
            if account["status"] != "ok" and not account["errors"]:
                raise BrokenLawError("numbers", f"{account['status']} without an error")
        return [account["status"] for account in accounts]

    def _ok(self, run: Run) -> None:
        world = self._world
        for place in world.configured:
            if place.name in self.memory.gone_whole and world.settings.gone == "keep" and not place.messages():
                raise BrokenLawError("ok", f"{place.name} was deleted as a whole ({run.fault})")
        shown = {message.content for message in world.watch.seen} - self._mistaken()
        for place in world.configured:
            others = [other for other in world.configured if other is not place]
            held = {one for other in others for one in self._held(other)}
            for content in sorted((shown | held) - self.memory.accepted):
                if not self._stands(place, content) and same(content) not in place.taken:
                    origin = "the source showed it" if content in shown else "another place holds it"
                    raise BrokenLawError("ok", f"{_words([content])} is not in {place.name} ({origin}; {run.fault})")

    def _held(self, place: Place) -> set[bytes]:
        forgotten = self.memory.forgotten.get(place.name, set())
        if place.is_away:
            forgotten = {same(one) for one in place.messages()} - self.memory.known_in.get(place.name, set())
        by_words = {same(one): one for one in self._world.post.sent}
        return {by_words[key] for one in place.messages() if (key := same(one)) in by_words and key not in forgotten}

    def _mistaken(self) -> set[bytes]:
        """What may be taken for another message under the same unique-id with as many octets.

        Where nothing is deleted, or the proof is by headers; and where the other one's copy was taken out by a person,
        and the source keeps its message for that.
        """
        settings = self._world.settings
        is_read_before_it_goes = settings.leave == "false" and settings.proof == "content"
        gone = set[bytes]().union(*(place.taken for place in self._world.places.values()))
        mistaken: set[bytes] = set()
        for message in self._world.watch.seen:
            others = self.memory.met.get((message.unique_id, message.octets), set()) - {message.content}
            if others and not (is_read_before_it_goes and not gone & {same(other) for other in others}):
                mistaken.add(message.content)
        return mistaken

    def _meet(self) -> None:
        for message in self._world.watch.seen:
            self.memory.met.setdefault((message.unique_id, message.octets), set()).add(message.content)

    def restored(self, played: Played, target: Place) -> None:
        """Hold a restore to its word: what it says is there is there."""
        if played.code == 0:
            told = json.loads(played.out)
            accounts = 1 + self._world.settings.has_bob  # what both have is there already for the second
            if told["restored"] > len(target.messages()) or told["present"] > accounts * len(target.messages()):
                raise BrokenLawError("restored", f"{told}, and {len(target.messages())} are there")

    def kinds_of(self, played: Played) -> set[str]:
        """Return the kinds of errors that a run reported."""
        return {error["kind"] for account in json.loads(played.out)["accounts"] for error in account["errors"]}

    def calm_end(self, played: Played, kinds: set[str]) -> None:
        """Judge the last of the calm runs."""
        if played.code == 0:
            return
        harmed = any(place.was_harmed for place in self._world.places.values())
        allowed = self.memory.may_report | ({"archive", "mismatch"} if harmed else set())
        if kinds - allowed:
            raise BrokenLawError("calm", f"still {sorted(kinds)} when all is up; {sorted(allowed)} would be expected")


def _words(contents: Sequence[bytes]) -> str:
    return ", ".join(f"message {short(content)}" for content in contents[:4])
