"""The IMAP destination on a real Dovecot: every way to upload, every way the line can break, each message once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.copy_records import Recollection
from migrator.destinations.imap import STEPS
from migrator.errors import FerryError, Kind
from migrator.imap.upload_limits import Allowance, Allowances
from migrator.message.proof import prove
from migrator.model import ImapLocator, Proof
from migrator.net.tls import TlsMode, TlsSettings
from tests.conftest import StartDovecot
from tests.contract.support import Memory, content_of, read, recover, store
from tests.integration.imap_support import Bench, bodies_of, errors_of, locators_of
from tests.mail import Pieces, message_of, simple
from tests.servers import imap_faults as faults
from tests.servers.dovecot import Backend, Dovecot
from tests.servers.imap_proxy import HangUp, HeldAppend, ImapFault, ImapProxy

LITERAL_MINUS = faults.Capabilities(without=["LITERAL+", "MULTIAPPEND"], added=["LITERAL-"])
SYNCHRONISING = faults.Capabilities(without=["LITERAL+", "MULTIAPPEND"])
WAYS = {
    "multiappend": [],
    "multiappend, asking": [faults.Capabilities(without=["LITERAL+"])],
    "pipelined": [faults.Capabilities(without=["MULTIAPPEND"])],
    "pipelined, literal-": [LITERAL_MINUS],
    "asking each time": [SYNCHRONISING],
}
ODD = {
    "long line": b"Subject: long\r\n\r\n" + b"x" * 20_000 + b"\r\n",
    "long header": b"Subject: " + b"y" * 20_000 + b"\r\n\r\nbody\r\n",
    "8-bit header": b"Subject: gr\xfc\xdfe\r\n\r\nbody\r\n",
    "8-bit body": b"Subject: 8\r\n\r\n\xe9\xff\xfe\r\n",
    "leading From": b"From someone Mon Nov 23 12:00:00 2026\r\nSubject: f\r\n\r\nFrom me\r\n>From you\r\n",
    "no colon": b"Subject: a\r\nthis is no header\r\nTo: b\r\n\r\nbody\r\n",
    "no header": b"\r\nonly a body\r\n",
    "no blank line": b"Subject: all header\r\n",
    "no final line end": b"Subject: torn\r\n\r\nlast",
    "bare CR": b"Subject: cr\r\n\r\na\rb\r\n",
    "CR CR LF": b"Subject: crcrlf\r\n\r\na\r\r\nb\r\n",
    "NUL": b"Subject: nul\r\n\r\na\0b\r\n",
    "looks like a literal": b"Subject: {5}\r\n\r\n{10}\r\n) x {3}\r\n",
}


@pytest.fixture
def bench(dovecot: Dovecot, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(dovecot, tmp_path)
    yield bench
    bench.close()


@pytest.mark.parametrize("backend", ["maildir", "mdbox"])
def test_stores_each_message_once_and_reads_it_back_exactly(
    start_dovecot: StartDovecot, tmp_path: Path, backend: Backend
) -> None:
    bench = Bench(start_dovecot(backend), tmp_path)
    messages = [simple(number, 4096) for number in range(250)]
    destination, memory = bench.open(), Memory()
    recover(destination, memory)
    stored = [store(destination, memory, messages[start : start + 100]) for start in range(0, 250, 100)]
    assert [content for each in stored for content in read(destination, each)] == bodies_of(messages)
    assert bench.contents() == bodies_of(messages)
    bench.close()


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_upload_stores_the_same(bench: Bench, way: str) -> None:
    messages = [simple(number, size) for number, size in enumerate((10, 5000, 200_000, 100, 4000))]
    with ImapProxy(bench.server.imap_port, faults=WAYS[way]) as proxy:
        destination = bench.open(proxy.port)
        stored = store(destination, Memory(), messages)
        assert read(destination, stored) == bodies_of(messages)
        assert proxy.counts()["APPEND"] == (1 if way.startswith("multiappend") else 5)
    assert [each.uid for each in locators_of(stored)] == [1, 2, 3, 4, 5]
    assert bench.contents() == bodies_of(messages)


def test_a_batch_of_many_is_a_few_commands_and_is_read_back_by_one(bench: Bench) -> None:
    messages = [simple(number) for number in range(250)]
    with ImapProxy(bench.server.imap_port) as proxy:
        destination = bench.open(proxy.port)
        stored = store(destination, Memory(), messages)
        assert read(destination, stored) == bodies_of(messages)
        assert [len(command.literals) for command in proxy.commands if command.verb == "APPEND"] == [100, 100, 50]
        assert proxy.counts()["UID FETCH"] == 1
        older = locators_of(stored)
        store(destination, Memory(), [simple(1_000)])
        assert len(list(destination.read(older))) == 250
        assert proxy.counts()["UID FETCH"] == 4, "what may be of any size is not asked for by so many"
    assert [each.uid for each in older] == list(range(1, 251))


MANY_FAULTS = {
    "one refused": faults.MessagesRefused(containing=b"<130@example.org>"),
    "the second command refused for now": faults.Answers("APPEND", words="NO [INUSE] busy", skip=1, times=1),
    "hung up in the second command": faults.DropInside("APPEND", after=9_000, skip=1, times=1),
    "hung up behind the second command": faults.DropUnanswered("APPEND", skip=1, times=1),
}


@pytest.mark.parametrize("fault", MANY_FAULTS)
def test_of_a_batch_of_many_all_that_can_be_stored_is_stored_once(bench: Bench, fault: str) -> None:
    bench.naps.is_real = True  # the server goes on with what it was sent before the line broke
    messages = [simple(number) for number in range(250)]
    with ImapProxy(bench.server.imap_port, faults=[MANY_FAULTS[fault]]) as proxy:
        destination = bench.open(proxy.port)
        stored = store(destination, Memory(), messages)
        refused = [130] if fault == "one refused" else []
        assert list(errors_of(stored)) == refused
        kept = [message for place, message in enumerate(messages) if place not in refused]
        assert read(destination, stored) == bodies_of(kept)
    assert sorted(bench.contents()) == sorted(bodies_of(kept))


@pytest.mark.parametrize("odd", ODD)
def test_odd_messages_arrive_once_and_are_proven_at_least_canonically(bench: Bench, odd: str) -> None:
    destination, memory = bench.open(), Memory()
    meant = message_of(ODD[odd])
    stored = store(destination, memory, [simple(1), meant, simple(2)])
    [_, copy, _] = destination.read(locators_of(stored))
    assert not isinstance(copy, FerryError)
    expected = Proof.CANONICAL if odd in {"CR CR LF", "NUL"} else Proof.EXACT
    assert prove(meant.body, copy).proof is expected
    assert len(bench.contents()) == 3


def test_an_empty_message_is_refused_and_the_others_arrive(bench: Bench) -> None:
    destination = bench.open()
    stored = store(destination, Memory(), [simple(1), message_of(b""), simple(2)])
    assert [error.kind for error in errors_of(stored).values()] == [Kind.REFUSED]
    assert bench.contents() == bodies_of([simple(1), simple(2)])


def test_a_large_message_streams_both_ways(bench: Bench) -> None:
    content = b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * 700_000
    destination = bench.open()
    stored = store(destination, Memory(), [message_of(content, Pieces(content))])
    [copy] = destination.read(locators_of(stored))
    assert not isinstance(copy, FerryError)
    assert copy.octets == len(content)
    assert max(map(len, copy.chunks())) <= 1 << 20
    assert content_of(copy) == content


def test_internal_date_is_when_the_message_arrived_and_flags_are_as_wished(bench: Bench) -> None:
    content = b"Received: by mx; Mon, 02 Feb 2015 03:04:05 +0100\r\nDate: Tue, 1 Jan 2013 00:00:00 +0000\r\n\r\nx\r\n"
    destination = bench.open(flags=("\\Flagged",), keywords=("$Moved",))
    store(destination, Memory(), [message_of(content)])
    session = destination._mailbox.session  # noqa: SLF001  # the quickest way to ask the server
    destination._mailbox.look()  # noqa: SLF001
    [shown] = session._client.fetch([1], ["INTERNALDATE", "FLAGS"]).values()  # noqa: SLF001
    assert shown[b"INTERNALDATE"].astimezone().isoformat() == "2015-02-02T02:04:05+00:00"
    assert {b"\\Flagged", b"$Moved"} <= set(shown[b"FLAGS"])
    assert b"\\Seen" not in shown[b"FLAGS"]


def test_each_copy_has_the_flags_of_its_message_that_the_folder_keeps(bench: Bench) -> None:
    destination = bench.open(keywords=("$Moved",))
    flags: list[tuple[str, ...]] = [("\\Seen", "\\Answered"), (), ("\\Flagged", "\\Nonsense")]
    messages = [simple(number)._replace(flags=those) for number, those in enumerate(flags, 1)]
    store(destination, Memory(), messages)
    destination._mailbox.look()  # noqa: SLF001
    shown = destination._mailbox.session._client.fetch([1, 2, 3], ["FLAGS"])  # noqa: SLF001
    kept = [set(shown[uid][b"FLAGS"]) - {b"\\Recent"} for uid in (1, 2, 3)]
    assert kept == [{b"\\Seen", b"\\Answered", b"$Moved"}, {b"$Moved"}, {b"\\Flagged", b"$Moved"}]


# Exactly once.

CUTS: dict[str, ImapFault] = {
    "before the command": faults.DropBefore("APPEND", times=1),
    "inside a literal": faults.DropInside("APPEND", after=300, times=1),
    "in place of the reply": faults.DropUnanswered("APPEND", times=1),
    "after the reply": faults.DropAfter("APPEND", times=1),
    "at the last reply": faults.DropUnanswered("APPEND", skip=4, times=1),
}


@pytest.mark.parametrize(("many", "waited"), [(8, [1.0, 3.0]), (70, [1.0, 3.0, 3.0])])
def test_what_was_sent_before_the_line_broke_is_waited_for(bench: Bench, many: int, waited: list[float]) -> None:
    messages = [simple(number) for number in range(many)]
    lost = [faults.MessagesLost(times=many), faults.DropUnanswered("APPEND", times=1)]
    with ImapProxy(bench.server.imap_port, faults=lost) as proxy:
        store(bench.open(proxy.port), Memory(), messages)
    assert bench.naps.seconds == waited
    assert sorted(bench.contents()) == sorted(bodies_of(messages))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cut", CUTS)
def test_a_cut_line_neither_loses_nor_doubles(bench: Bench, way: str, cut: str) -> None:
    bench.naps.is_real = True
    fault = type(CUTS[cut])(**_arguments(CUTS[cut]))
    messages = [simple(number, 3000) for number in range(8)]
    with ImapProxy(bench.server.imap_port, faults=[*WAYS[way], fault]) as proxy:
        destination = bench.open(proxy.port)
        stored = store(destination, Memory(), messages)
        assert read(destination, stored) == bodies_of(messages)
    assert sorted(bench.contents()) == sorted(bodies_of(messages))


def _arguments(fault: ImapFault) -> dict[str, object]:
    return {name: value for name, value in vars(fault).items() if not name.startswith("_")}


@pytest.mark.parametrize("way", WAYS)
def test_after_a_crash_recovery_finds_what_was_stored(bench: Bench, way: str) -> None:
    class Killed(BaseException):
        pass

    def die(step: str) -> None:
        if step == "imap.batch-sent":
            raise Killed

    messages = [simple(number, 3000) for number in range(8)]
    memory = Memory()
    with ImapProxy(bench.server.imap_port, faults=WAYS[way]) as proxy:
        with pytest.raises(Killed):
            store(bench.open(proxy.port, step=die), memory, messages)
        bench.close()
        reopened = bench.open(proxy.port)
        found = {finding.digest for finding in recover(reopened, memory) if hasattr(finding, "digest")}
        left = [each for each in messages if each.digest not in found]
        if left:
            store(reopened, memory, left)
    assert found
    assert sorted(bench.contents()) == sorted(bodies_of(messages))
    assert set(memory.copies) == {each.digest for each in messages}


def test_recovery_recognises_copies_that_the_server_altered(bench: Bench) -> None:
    messages = [message_of(content) for content in ODD.values()]
    destination, memory = bench.open(), Memory()
    with destination.exclusive():
        memory.intend(destination, destination.begin(messages), messages)
        destination.store(messages)
    found = recover(bench.open(), memory)
    assert len(found) == len(messages)
    assert set(memory.copies) == {each.digest for each in messages}


def test_recovery_after_the_folder_was_made_anew_looks_everywhere_in_it(bench: Bench) -> None:
    messages = [simple(number) for number in range(3)]
    bench.server.mailbox("ann").append([*bodies_of(messages[:2]), b"Subject: other\r\n\r\nx\r\n"])
    destination, memory = bench.open(), Memory()
    anchor = destination.begin(messages)
    memory.intend(destination, type(anchor)(anchor.uid_validity - 1, 4_000_000), messages)
    recover(destination, memory)
    assert set(memory.copies) == {each.digest for each in messages[:2]}
    assert {place.uid for places in memory.copies.values() for place in places if isinstance(place, ImapLocator)} == {
        1,
        2,
    }


def test_among_many_messages_of_one_size_only_those_with_its_message_id_are_read(bench: Bench) -> None:
    contents = [b"Message-ID: <%04d@example.org>\r\n\r\nbody %04d\r\n" % (number, number) for number in range(300)]
    bench.server.mailbox("ann").append(contents)
    destination, memory = bench.open(), Memory()
    anchor = destination.begin([])
    lost = type(anchor)(anchor.uid_validity - 1, 1)
    with ImapProxy(bench.server.imap_port) as proxy:
        memory.intend(destination, lost, [message_of(contents[123]), message_of(contents[7])])
        assert len(recover(bench.open(proxy.port), memory)) == 2
        asked = [command.line for command in proxy.commands if b"BODY.PEEK[]" in command.line]
    assert [line.split()[3] for line in asked] == [b"8,124"]


def test_recovery_stores_nothing_and_makes_no_folder(bench: Bench) -> None:
    with ImapProxy(bench.server.imap_port) as proxy:
        destination, memory = bench.open(proxy.port, folder="Not/There"), Memory()
        memory.intend(destination, type(bench.open().begin([]))(1, 1), [simple(1)])
        assert recover(destination, memory) == []
        assert not {"APPEND", "CREATE", "SELECT"} & set(proxy.counts())


def test_other_clients_may_deliver_and_delete_meanwhile(bench: Bench) -> None:
    others = [b"Subject: other %d\r\n\r\nx\r\n" % number for number in range(3)]
    bench.naps.is_real = True
    messages = [simple(number) for number in range(5)]
    mailbox = bench.server.mailbox("ann")

    def meddle(step: str) -> None:
        if step == "imap.anchored":
            mailbox.append(others)

    with ImapProxy(bench.server.imap_port, faults=[faults.DropUnanswered("APPEND", times=1)]) as proxy:
        destination = bench.open(proxy.port, step=meddle)
        stored = store(destination, Memory(), messages)
        assert read(destination, stored) == bodies_of(messages)
    assert sorted(bench.contents()) == sorted(bodies_of(messages) + others)


UID_FAULTS = {
    "no APPENDUID": faults.Rewrites(rb"\[APPENDUID [^]]*\] "),
    "swapped numbers": faults.Rewrites(rb"\[APPENDUID (\d+) (\S+)\]", rb"[APPENDUID \2 \1]"),
    "UIDs of older messages": faults.Rewrites(rb"\[APPENDUID (\d+) \S+\]", rb"[APPENDUID \1 1:5]"),
    "nonsense": faults.Rewrites(rb"\[APPENDUID (\d+) \S+\]", rb"[APPENDUID \1 1:4294967295,x]"),
}


@pytest.mark.parametrize("way", ["multiappend", "pipelined", "asking each time"])
@pytest.mark.parametrize("fault", UID_FAULTS)
def test_uids_that_are_not_told_or_not_believable_are_found_by_reading(bench: Bench, fault: str, way: str) -> None:
    bench.server.mailbox("ann").append([b"Subject: older\r\n\r\nx\r\n"] * 6)
    messages = [simple(number) for number in range(5)]
    with ImapProxy(bench.server.imap_port, faults=[*WAYS[way], UID_FAULTS[fault]]) as proxy:
        destination = bench.open(proxy.port)
        stored = store(destination, Memory(), messages)
        assert read(destination, stored) == bodies_of(messages)
    assert sorted(each.uid for each in locators_of(stored)) == [7, 8, 9, 10, 11]
    assert len(bench.contents()) == 11


def test_a_message_that_the_server_lost_is_not_claimed(bench: Bench) -> None:
    messages = [simple(number) for number in range(5)]
    fault = faults.MessagesLost(containing=b"<3@example.org>")
    with ImapProxy(bench.server.imap_port, faults=[fault]) as proxy:
        stored = store(bench.open(proxy.port), Memory(), messages)
    assert {place: error.kind for place, error in errors_of(stored).items()} == {3: Kind.MISMATCH}


def test_silence_after_sending_is_no_reason_to_send_again(bench: Bench) -> None:
    messages = [simple(number) for number in range(3)]
    memory = Memory()
    with ImapProxy(bench.server.imap_port, faults=[faults.Stall("APPEND", obeyed=True, times=1)]) as proxy:
        stored = store(bench.open(proxy.port, timeout=0.5), memory, messages)
        assert proxy.counts()["APPEND"] == 1
    assert len(locators_of(stored)) == 3
    assert len(bench.contents()) == 3


def test_silence_about_what_is_not_there_ends_the_upload_with_nothing_sent_twice(bench: Bench) -> None:
    with ImapProxy(bench.server.imap_port, faults=[faults.Stall("APPEND", times=1)]) as proxy:
        with pytest.raises(FerryError) as raised:
            store(bench.open(proxy.port, timeout=0.5), Memory(), [simple(1)])
        assert proxy.counts()["APPEND"] == 1
    assert raised.value.kind is Kind.TIMEOUT


# A full mailbox.

QUOTA = """quota imap_quota
plugin {
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=64K
}
"""


@pytest.mark.parametrize("faults_of_line", [[], [faults.Capabilities(without=["QUOTA"])]], ids=["told", "not told"])
def test_a_full_mailbox_takes_what_fits_and_the_rest_is_reported(
    start_dovecot: StartDovecot, tmp_path: Path, faults_of_line: list[ImapFault]
) -> None:
    bench = Bench(start_dovecot(settings={"mail_plugins": QUOTA}), tmp_path)
    messages = [simple(number, 12_000) for number in range(10)]
    with ImapProxy(bench.server.imap_port, faults=faults_of_line) as proxy:
        stored = store(bench.open(proxy.port), Memory(), messages)
        assert not faults_of_line or proxy.counts()["GETQUOTAROOT"] == 0
        assert faults_of_line or proxy.messages_appended() == 5
    assert {place: error.kind for place, error in errors_of(stored).items()} == dict.fromkeys(range(5, 10), Kind.QUOTA)
    assert len(bench.contents()) == 5
    bench.close()


# Refusals.


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("NO [TOOBIG] too much", Kind.TOO_LARGE),
        ("BAD [TOOBIG] too much", Kind.TOO_LARGE),
        ("NO Message contains NUL characters", Kind.REFUSED),
        ("BAD Command Argument Error 11", Kind.REFUSED),
        ("NO [LIMIT] Too many identical emails", Kind.REFUSED),
    ],
)
def test_a_refused_message_is_found_and_the_rest_arrives(bench: Bench, way: str, words: str, kind: Kind) -> None:
    messages = [simple(number) for number in range(20)]
    fault = faults.MessagesRefused(containing=b"<13@example.org>", words=words)
    with ImapProxy(bench.server.imap_port, faults=[*WAYS[way], fault]) as proxy:
        stored = store(bench.open(proxy.port), Memory(), messages)
    [(place, error)] = errors_of(stored).items()
    assert (place, error.kind) == (13, kind)
    assert words.split(maxsplit=1)[1] in error.server_words
    assert sorted(bench.contents()) == sorted(bodies_of([m for m in messages if m is not messages[13]]))


def test_a_message_that_makes_the_server_hang_up_is_found_and_the_rest_arrives(bench: Bench) -> None:
    messages = [simple(number) for number in range(6)]

    class HangsUp(ImapFault):
        holds_appends = True

        def append(self, append: HeldAppend) -> bytes | None:
            if any(b"<4@example.org>" in content for _, content in append.parts):
                raise HangUp
            return None

    with ImapProxy(bench.server.imap_port, faults=[HangsUp()]) as proxy:
        stored = store(bench.open(proxy.port), Memory(), messages)
    assert {place: error.kind for place, error in errors_of(stored).items()} == {4: Kind.REFUSED}
    assert len(bench.contents()) == 5


def test_a_full_mailbox_stops_the_upload_at_the_message_that_does_not_fit(
    start_dovecot: StartDovecot, tmp_path: Path
) -> None:
    bench = Bench(start_dovecot(), tmp_path)
    messages = [simple(number) for number in range(8)]
    fault = faults.MessagesRefused(containing=b"<5@example.org>", words="NO [OVERQUOTA] Quota exceeded")
    with ImapProxy(bench.server.imap_port, faults=[fault]) as proxy:
        stored = store(bench.open(proxy.port), Memory(), messages)
    bench.close()
    assert {error.kind for error in errors_of(stored).values()} == {Kind.QUOTA}
    assert 5 in errors_of(stored)
    assert len(bench.contents()) == 8 - len(errors_of(stored))


def test_a_missing_folder_is_created_and_the_batch_sent_again(bench: Bench) -> None:
    fault = faults.Answers("APPEND", words="NO [TRYCREATE] no such mailbox", times=1)
    with ImapProxy(bench.server.imap_port, faults=[fault]) as proxy:
        store(bench.open(proxy.port), Memory(), [simple(1)])
    assert bench.contents() == bodies_of([simple(1)])


@pytest.mark.parametrize("folder", ["Old Mail", "Archive/2026/Büro", 'a"b\\c', "&amp;", "Ünï*cö%dé"])
def test_folders_of_any_name_are_created_once(bench: Bench, folder: str) -> None:
    store(bench.open(folder=folder), Memory(), [simple(1)])
    destination = bench.open(folder=folder)
    store(destination, Memory(), [simple(2)])
    named = destination._mailbox.folder  # noqa: SLF001  # the server's spelling
    assert bench.steps.count("imap.folder-created") == 1
    assert destination._mailbox.session.status(named)["messages"] == 2  # noqa: SLF001


def test_a_short_pause_is_waited_out_exactly_and_a_long_one_reported(bench: Bench) -> None:
    words = "NO Request is throttled. Suggested Backoff Time: {} milliseconds"
    with ImapProxy(
        bench.server.imap_port, faults=[faults.Answers("APPEND", words=words.format(2500), times=1)]
    ) as proxy:
        assert locators_of(store(bench.open(proxy.port), Memory(), [simple(1)]))
    assert bench.naps.seconds == [2.5]
    with ImapProxy(bench.server.imap_port, faults=[faults.Answers("APPEND", words=words.format(299_609))]) as proxy:
        stored = store(bench.open(proxy.port), Memory(), [simple(2)])
    [error] = errors_of(stored).values()
    assert (error.kind, error.wait) == (Kind.TEMPORARY, 299.609)
    with pytest.raises(FerryError) as raised:
        bench.opened[-1].begin([simple(3)])
    assert raised.value is error
    assert len(bench.contents()) == 1


def test_unavailable_is_tried_again_a_little_later_and_then_given_up(bench: Bench) -> None:
    with ImapProxy(
        bench.server.imap_port, faults=[faults.Answers("APPEND", words="NO [UNAVAILABLE] try later")]
    ) as proxy:
        stored = store(bench.open(proxy.port), Memory(), [simple(1), simple(2)])
        assert proxy.counts()["APPEND"] == 3
    assert {error.kind for error in errors_of(stored).values()} == {Kind.TEMPORARY}
    assert bench.contents() == []


def test_append_limit_is_known_before_a_byte_is_sent(bench: Bench) -> None:
    limit = faults.Capabilities(added=["APPENDLIMIT=1000"])
    with ImapProxy(bench.server.imap_port, faults=[limit]) as proxy:
        stored = store(bench.open(proxy.port), Memory(), [simple(1), simple(2, 5000)])
        assert proxy.messages_appended() == 1
    assert {place: error.kind for place, error in errors_of(stored).items()} == {1: Kind.TOO_LARGE}


def test_message_limit_bounds_a_batch(bench: Bench) -> None:
    with ImapProxy(bench.server.imap_port, faults=[faults.Capabilities(added=["MESSAGELIMIT=3"])]) as proxy:
        store(bench.open(proxy.port), Memory(), [simple(number) for number in range(7)])
        assert [len(c.literals) for c in proxy.commands if c.verb == "APPEND"] == [3, 3, 1]


def test_a_spent_allowance_is_reported_with_the_time_to_wait(bench: Bench) -> None:
    allowances = Allowances(octets=(Allowance("octets per day", 1000, 86_400.0),))
    first = store(bench.open(allowances=allowances), Memory(), [simple(1, 900)])
    second = store(bench.open(allowances=allowances), Memory(), [simple(2, 900)])
    assert locators_of(first)
    [error] = errors_of(second).values()
    assert error.kind is Kind.TEMPORARY
    assert 60_000 < (error.wait or 0) <= 86_400
    assert len(bench.contents()) == 1


# Reading back.


def test_a_copy_that_was_deleted_is_an_error_and_the_others_are_read(bench: Bench) -> None:
    messages = [simple(number) for number in range(4)]
    destination = bench.open()
    stored = store(destination, Memory(), messages)
    session = bench.open()._mailbox.session  # noqa: SLF001  # as another client
    session._client.select_folder("INBOX")  # noqa: SLF001
    session._client.delete_messages([2])  # noqa: SLF001
    session._client.expunge()  # noqa: SLF001
    shown = list(destination.read(locators_of(stored)))
    assert [isinstance(copy, FerryError) for copy in shown] == [False, True, False, False]
    [error] = [copy for copy in shown if isinstance(copy, FerryError)]
    assert error.kind is Kind.MISMATCH
    assert "no longer in the folder" in str(error)


def test_a_flipped_bit_comes_back_as_it_is(bench: Bench) -> None:
    messages = [simple(number) for number in range(3)]
    with ImapProxy(bench.server.imap_port, faults=[faults.FetchTampered(30, times=1)]) as proxy:
        destination = bench.open(proxy.port)
        contents = read(destination, store(destination, Memory(), messages))
    assert [content == meant for content, meant in zip(contents, bodies_of(messages), strict=True)] == [
        False,
        True,
        True,
    ]


@pytest.mark.parametrize("times", [1, None])
def test_a_line_cut_at_one_message_leaves_the_others_readable(bench: Bench, times: int | None) -> None:
    messages = [simple(number) for number in range(9)]
    with ImapProxy(bench.server.imap_port, faults=[faults.DropAtLine(rb"UID 6 BODY", times=times)]) as proxy:
        destination = bench.open(proxy.port)
        shown = list(destination.read(locators_of(store(destination, Memory(), messages))))
    damaged = [place for place, copy in enumerate(shown) if isinstance(copy, FerryError)]
    assert damaged == ([] if times else [5])
    assert [content_of(copy) for copy in shown if not isinstance(copy, FerryError)] == bodies_of(
        [each for place, each in enumerate(messages) if place not in damaged]
    )


def test_a_server_that_never_shows_anything_is_given_up_soon(bench: Bench) -> None:
    stored = store(bench.open(), Memory(), [simple(number) for number in range(60)])
    with ImapProxy(bench.server.imap_port, faults=[faults.DropBefore("UID FETCH")]) as proxy:
        with pytest.raises(FerryError) as raised:
            list(bench.open(proxy.port).read(locators_of(stored)))
        assert proxy.counts()["UID FETCH"] < 20
    assert raised.value.kind is Kind.CONNECT


def test_a_refusal_to_show_one_message_is_its_own_and_a_throttle_is_everybodys(bench: Bench) -> None:
    stored = store(bench.open(), Memory(), [simple(number) for number in range(4)])
    refusing = faults.Answers("UID FETCH", words="NO [SERVERBUG] Internal error", times=4)  # once may pass
    with ImapProxy(bench.server.imap_port, faults=[refusing]) as proxy:
        shown = list(bench.open(proxy.port).read(locators_of(stored)))
    assert [isinstance(copy, FerryError) for copy in shown] == [True, False, False, False]
    throttling = faults.Answers("UID FETCH", words="NO Request is throttled. Suggested Backoff Time: 7000 milliseconds")
    with ImapProxy(bench.server.imap_port, faults=[throttling]) as proxy, pytest.raises(FerryError) as raised:
        list(bench.open(proxy.port).read(locators_of(stored)))
    assert (raised.value.kind, raised.value.wait) == (Kind.TEMPORARY, 7)


def test_a_copy_of_another_uid_validity_is_not_read(bench: Bench) -> None:
    destination = bench.open()
    [place] = locators_of(store(destination, Memory(), [simple(1)]))
    [shown] = destination.read([ImapLocator(place.uid_validity + 1, place.uid)])
    assert isinstance(shown, FerryError)
    assert shown.kind is Kind.MISMATCH
    assert "UIDVALIDITY" in str(shown)


def test_an_idle_connection_that_died_is_replaced(bench: Bench) -> None:
    with ImapProxy(bench.server.imap_port, faults=[faults.DropAfter("UID FETCH", times=1)]) as proxy:
        destination = bench.open(proxy.port)
        memory = Memory()
        for number in (1, 2):
            assert read(destination, store(destination, memory, [simple(number)])) == bodies_of([simple(number)])


def test_unknown_news_between_replies_does_no_harm(bench: Bench) -> None:
    news = [
        faults.SaysFirst(verb, line_ahead=line)
        for verb in ("APPEND", "UID FETCH")
        for line in (b"* 7 EXISTS", b"* OK [ALERT] hello", b"* 1 FETCH (FLAGS (\\Seen))", b"* XYZZY {3}\r\nabc more")
    ]
    messages = [simple(number) for number in range(3)]
    with ImapProxy(bench.server.imap_port, faults=news) as proxy:
        destination = bench.open(proxy.port)
        assert read(destination, store(destination, Memory(), messages)) == bodies_of(messages)


# Sessions.


def test_an_upload_that_is_interrupted_leaves_a_destination_that_can_go_on(bench: Bench) -> None:
    class Interrupted(BaseException):
        pass

    def interrupt(step: str) -> None:
        if step == "imap.batch-sent" and step not in bench.steps:
            bench.steps.append(step)
            raise Interrupted

    destination, memory = bench.open(step=interrupt), Memory()
    with pytest.raises(Interrupted):
        store(destination, memory, [simple(1)])
    recover(destination, memory)
    stored = store(destination, memory, [simple(2)])
    assert read(destination, stored) == bodies_of([simple(2)])
    assert bench.contents() == bodies_of([simple(1), simple(2)])


def test_trouble_with_our_own_disk_is_not_blamed_on_the_server(bench: Bench, tmp_path: Path) -> None:
    content = b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * 700_000
    destination = bench.open()
    stored = store(destination, Memory(), [message_of(content, Pieces(content)), simple(1)])
    bench.state_dir = tmp_path / "not" / "there"
    other = bench.open()
    with pytest.raises(FerryError) as raised:
        list(other.read(locators_of(stored)))
    assert raised.value.kind is Kind.DISK_FULL
    assert content_of(next(other.read(locators_of(stored)[1:]))) == content_of(simple(1).body)


def test_check_and_dry_run_change_nothing(bench: Bench) -> None:
    with ImapProxy(bench.server.imap_port) as proxy:
        destination = bench.open(proxy.port, folder="New")
        offers = destination.probe()
        list(destination.recover(Recollection((), ())))
        assert set(proxy.counts()) <= {"CAPABILITY", "LOGIN", "AUTHENTICATE", "ID", "LIST", "NAMESPACE", "STATUS"}
    assert offers["exists"] is False
    assert "MULTIAPPEND" in str(offers["capabilities"])


@pytest.mark.parametrize("mode", [TlsMode.IMPLICIT, TlsMode.STARTTLS])
def test_works_over_tls(bench: Bench, mode: TlsMode) -> None:
    port = bench.server.imaps_port if mode is TlsMode.IMPLICIT else bench.server.imap_port
    destination = bench.open(port, tls=TlsSettings(mode, ca_file=bench.server.ca_file))
    messages = [simple(number, 50_000) for number in range(20)]
    assert read(destination, store(destination, Memory(), messages)) == bodies_of(messages)


def test_an_untrusted_certificate_is_refused(bench: Bench) -> None:
    destination = bench.open(bench.server.imaps_port, tls=TlsSettings(TlsMode.IMPLICIT, fingerprint="00" * 32))
    with pytest.raises(FerryError) as raised:
        destination.probe()
    assert raised.value.kind is Kind.TLS


@pytest.mark.parametrize("auth", ["auto", "plain", "login", "user"])
def test_a_wrong_password_is_an_auth_error_that_does_not_show_it(bench: Bench, auth: str) -> None:
    with pytest.raises(FerryError) as raised:
        bench.open(auth=auth, password='not-the-pass\\word"').probe()
    assert raised.value.kind is Kind.AUTH
    assert "not-the-pass" not in str(raised.value)


@pytest.mark.parametrize("auth", ["auto", "plain", "login", "user"])
def test_logs_in_every_way_that_dovecot_offers(bench: Bench, auth: str) -> None:
    assert bench.open(auth=auth).probe()["exists"] is True


def test_a_busy_server_is_temporary(bench: Bench) -> None:
    fault = faults.Answers("AUTHENTICATE", words="NO [UNAVAILABLE] come back later")
    with ImapProxy(bench.server.imap_port, faults=[fault]) as proxy, pytest.raises(FerryError) as raised:
        bench.open(proxy.port, auth="plain").probe()
    assert raised.value.kind is Kind.TEMPORARY


def test_one_run_at_a_time_writes_to_a_folder(bench: Bench) -> None:
    first, second = bench.open(), bench.open()
    with first.exclusive(), pytest.raises(FerryError) as raised, second.exclusive():
        raise AssertionError("both write")
    assert raised.value.kind is Kind.LOCKED


def test_every_step_has_a_name(bench: Bench) -> None:
    with ImapProxy(bench.server.imap_port, faults=[faults.DropUnanswered("APPEND", times=1)]) as proxy:
        destination = bench.open(proxy.port, folder="New")
        store(destination, Memory(), [simple(1)])
    assert set(bench.steps) == set(STEPS)
