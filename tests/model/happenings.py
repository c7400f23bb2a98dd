"""What happens to an installation from outside: mail arrives, servers change, disks and people do what they do.

Each step takes two numbers that say which of several things it is about. Where there is nothing to be about, it does
nothing, so that a history stays one when steps are left out of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.model.places import FolderPlace, ImapPlace, MaildirPlace, same, short
from tests.model.source import FAULTS, SCHEMES
from tests.model.steps import step
from tests.servers.mailboxes import unaltered, without_bare_returns

if TYPE_CHECKING:
    from tests.model.world import World

DAY = 86_400.0
LEAVE = ("true", "false", "false", '"2 days"')


# What arrives, and what others do at the source.


@step(24)
def deliver(world: World, n: int, m: int) -> None:
    kind = ("new", "new", "new", "twin", "again", "bare", "odd")[n % 7]
    user = "bob" if world.settings.has_bob and n % 3 == 0 else "alice"
    content = world.post.deliver(kind, m, user)
    world.say(f"source: {kind} arrives: {short(content)}" + (" for bob" if user == "bob" else ""))


@step(1)
def deliver_many(world: World, n: int, _: int) -> None:
    first = short(world.post.deliver("new", 0))
    last = [short(world.post.deliver(("new", "odd")[number % 2], number)) for number in range(5 + n % 20)][-1]
    world.say(f"source: {first} to {last} arrive")


@step(3)
def reuse(world: World, n: int, m: int) -> None:
    if stored := world.post.stored():
        maildrop, message = stored[n % len(stored)]
        other = world.post.reuse(maildrop, message, is_twin=m % 2 == 0)
        how = " and the same header" if m % 2 == 0 else ""
        world.say(
            f"source: {short(message.content)} goes, {short(other)} comes under its unique-id with as many octets{how}"
        )


@step(3)
def remove(world: World, n: int, _: int) -> None:
    if stored := world.post.stored():
        maildrop, message = stored[n % len(stored)]
        maildrop.remove(message)
        world.say(f"source: another client removes {short(message.content)}")


@step(2)
def go_bad(world: World, n: int, m: int) -> None:
    """Be bad in one way, in every run from now on."""
    name = list(FAULTS)[n % len(FAULTS)]
    world.always = FAULTS[name](m % 9)
    if name == "wrong sizes":
        world.laws.memory.may_report |= {"short", "changed"}
    world.say(f"source: from now on: {name} ({m % 9})")


@step(3)
def scheme(world: World, n: int, _: int) -> None:
    world.unique_ids.scheme = list(SCHEMES)[n % len(SCHEMES)]
    world.laws.memory.may_report |= {"changed", "ambiguous"}
    world.say(f"source: unique-ids are now: {world.unique_ids.scheme}")


# What people do to places.


@step(4)
def take(world: World, n: int, _: int) -> None:
    place = world.place(n)
    if not place.is_away and (content := place.take_one(world.chance)) is not None:
        if place.kind == "maildir":
            world.laws.memory.may_report |= {"archive", "mismatch"}
        world.say(f"person: takes {short(content)} out of {place.name}")


@step(2)
def renew(world: World, n: int, _: int) -> None:
    place = world.place(n)
    if isinstance(place, ImapPlace):
        place.renew()
        world.say(f"imap: {place.name} gets a new UIDVALIDITY")


@step(5)
def away(world: World, n: int, m: int) -> None:
    place = world.place(n)
    if not place.is_away and place.go_away(is_blocked=m % 2 == 0):
        world.set_servers()
        how = "" if place.kind == "imap" else " (a file in its stead)" if m % 2 == 0 else " (nothing in its stead)"
        world.say(f"person: {place.name} goes away{how}")


@step(5)
def back(world: World, n: int, _: int) -> None:
    away = [place for place in world.places.values() if place.is_away]
    if away:
        world.bring_back(away[n % len(away)])


@step(3)
def keep(world: World, n: int, _: int) -> None:
    place = world.place(n)
    if not place.is_away:
        place.keep()
        world.say(f"person: a backup of {place.name} is made")


@step(2)
def put_back(world: World, n: int, _: int) -> None:
    place = world.place(n)
    if place.put_back():
        world.say(f"person: {place.name} is put back from its backup")


@step(1)
def delete(world: World, n: int, _: int) -> None:
    place = world.place(n)
    if not place.is_away:
        world.laws.is_deleted(place)
        place.delete_all()
        world.say(f"person: everything in {place.name} is deleted")


@step(1)
def flip(world: World, n: int, _: int) -> None:
    place = world.place(n)
    if isinstance(place, FolderPlace) and not place.is_away and place.flip_a_bit(world.chance):
        world.laws.what_stands_passes()
        world.say(f"disk: a bit of {place.name} flips")


@step(2)
def read(world: World, n: int, _: int) -> None:
    place = world.place(n)
    if isinstance(place, MaildirPlace) and not place.is_away:
        place.be_read_by_a_person(world.chance)
        world.say(f"person: reads mail in {place.name}, which renames a file")


@step(1)
def foreign(world: World, n: int, m: int) -> None:
    place = world.place(n)
    content = b"Subject: from somebody\r\n\r\nforeign %05d\r\n" % m
    if not place.is_away:
        world.laws.memory.foreign.add(same(content))
        place.add_foreign(content)
        world.say(f"person: puts a message of her own into {place.name}")


@step(2)
def alter(world: World, n: int, _: int) -> None:
    alters = n % 2 == 0
    world.mail.mailboxes.alters = without_bare_returns if alters else unaltered
    world.laws.memory.may_report |= {"unproven"}
    world.say(f"imap: the server {'drops bare CRs' if alters else 'keeps what it gets'} from now on")


@step(1)
def empty_restored(world: World, _: int, __: int) -> None:
    world.places["restored"].delete_all()
    world.say("person: deletes the folder that was restored to")


# The state folder.


@step(2)
def lose_state(world: World, _: int, __: int) -> None:
    world.ledgers.lose(world.settings.state)
    world.laws.knowledge_was_lost()
    world.say("person: the state folder is lost")


@step(3)
def keep_state(world: World, _: int, __: int) -> None:
    if world.state.is_dir():
        world.ledgers.copy(world.settings.state, "state.kept")
        world.say("person: a backup of the state folder is made")


@step(3)
def put_back_state(world: World, _: int, __: int) -> None:
    if (world.folder / "state.kept").is_dir():
        world.ledgers.copy("state.kept", world.settings.state)
        world.laws.knowledge_was_lost()
        world.say("person: the state folder is put back from its backup")


@step(2)
def other_machine(world: World, _: int, __: int) -> None:
    """Go on with a copy of the state folder, and with the first again at the next time."""
    other = "state2" if world.settings.state == "state" else "state"
    if world.state.is_dir() and not (world.folder / other).is_dir():
        world.ledgers.copy(world.settings.state, other)
    world.settings.state = other
    world.laws.knowledge_was_lost()
    world.say(f"person: goes on with the copied state folder {other}")


# The configuration.


@step(4)
def add_place(world: World, n: int, _: int) -> None:
    absent = [name for name in world.usable if name not in world.settings.configured]
    if absent and len(world.settings.configured) < 3:
        world.settings.configured.append(absent[n % len(absent)])
        world.say(f"config: {world.settings.configured[-1]} is added")


@step(3)
def remove_place(world: World, n: int, _: int) -> None:
    if len(world.settings.configured) > 1:
        gone = world.settings.configured.pop(n % len(world.settings.configured))
        world.say(f"config: {gone} is taken out")


@step(3)
def spell(world: World, n: int, m: int) -> None:
    place = world.place(n)
    before = world.settings.spelled.get(place.name, 0)
    world.settings.spelled[place.name] = m
    if place.kind == "imap" and (before % 5 == 4) != (m % 5 == 4):
        world.laws.is_unknown(place)
    spelled = [
        line
        for line in world.destination_table(place).splitlines()
        if line.startswith(("path", "host", "port", "folder"))
    ]
    world.say(f"config: {place.name} is written {', '.join(spelled)}")


@step(5)
def policy(world: World, n: int, _: int) -> None:
    world.settings.leave = LEAVE[n % len(LEAVE)]
    world.say(f"config: leave_on_server = {world.settings.leave}")


@step(2)
def proof(world: World, n: int, _: int) -> None:
    world.settings.proof = ("content", "headers")[n % 2]
    world.server.allows_top_proof = world.settings.proof == "headers"
    world.laws.memory.may_report |= {"changed", "ambiguous"}
    world.say(f'config: proof_before_delete = "{world.settings.proof}"')


@step(1)
def imap_proof(world: World, n: int, _: int) -> None:
    world.settings.imap_proof = ("exact", "canonical")[n % 2]
    world.say(f'config: proof = "{world.settings.imap_proof}"')


@step(1)
def source_host(world: World, n: int, _: int) -> None:
    world.settings.source_host = ("127.0.0.1", "localhost")[n % 2]
    world.say(f"config: the source's host is {world.settings.source_host}")


@step(2)
def second_account(world: World, _: int, __: int) -> None:
    world.settings.has_bob = not world.settings.has_bob
    world.say(
        f"config: the account bob, with the same destinations, is {'added' if world.settings.has_bob else 'taken out'}"
    )


@step(3)
def when_copy_is_gone(world: World, n: int, _: int) -> None:
    world.settings.gone = ("keep", "restore", "accept")[n % 3]
    world.say(f'config: when_copy_is_gone = "{world.settings.gone}"')


@step(2)
def relocate(world: World, n: int, _: int) -> None:
    """Move a folder of files, or rename a folder of the IMAP server; every other time the program is told so."""
    place, before = world.place(n), world.url(world.place(n))
    if not place.is_away and (name := place.relocate()):
        world.say(f"person: {place.name} is moved to {name}, and the configuration says so")
        if n % 2:
            world.command(["moved", before, world.url(place)])
        else:
            world.laws.is_unknown(place)


# The clock.


@step(4)
def days(world: World, n: int, _: int) -> None:
    world.now += (1 + n % 3) * DAY
    world.say(f"clock: {1 + n % 3} days later")


@step(1)
def leap(world: World, n: int, _: int) -> None:
    world.now += (365 * DAY, -365 * DAY, -3 * DAY)[n % 3]
    world.laws.memory.has_leapt |= n % 3 == 0
    world.say("clock: " + ("a year ahead at once", "a year back", "three days back")[n % 3])
