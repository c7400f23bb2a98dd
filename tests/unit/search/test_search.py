# ruff: noqa: RUF001  # letters of many scripts
from __future__ import annotations

import os
import sqlite3
from base64 import b64encode
from contextlib import closing
from pathlib import Path

import pytest

from migrator.archive import reader as shelves_module
from migrator.cli.index_lines import rebuilding
from migrator.errors import FerryError, Kind
from migrator.ledger import FILE_NAME as LEDGER_NAME, Ledger
from migrator.message.body import MemoryBody
from migrator.message.digest import digest_of_body
from migrator.operations.search import parse_query, search
from migrator.parse.process import Parser
from migrator.search.index import FILE_NAME
from migrator.search.query import Everything
from migrator.search.update import exclusively
from migrator.ui.console import Console
from migrator.wiring.archive import bring_up_to_date, index_what_is_new
from tests.mail import mail
from tests.unit.archive.hostile import empty_parts, nested
from tests.unit.archive.office import Office, document

LANGUAGES = [
    # language, charset, what was written, what finds it
    ("English", "us-ascii", "The quarterly report is attached.", ["QUARTERLY", "report attached", "quart*"]),
    ("German", "iso-8859-1", "Grüße aus der Müllerstraße", ["muller*", "Müllerstrasse", "grüsse", "GRÜSSE"]),
    ("French", "cp1252", "L’été à la forêt, œuvre", ["ete", "forêt", "foret"]),
    ("Polish", "iso-8859-2", "Zażółć gęślą jaźń", ["zazołc", "gęślą", "jazn"]),
    ("Czech", "cp1250", "Příliš žluťoučký kůň", ["prilis", "zlutoucky", "kůň"]),
    ("Turkish", "iso-8859-9", "Toplantı İstanbul'da yapılacak", ["istanbul", "toplantı"]),
    ("Russian", "koi8-r", "Совещание переносится на среду", ["совещание", "СРЕДУ", "перенос*"]),
    ("Ukrainian", "cp1251", "Запрошення на зустріч у Києві", ["зустріч", "києві"]),
    ("Greek", "iso-8859-7", "Καλημέρα από την Αθήνα", ["καλημερα", "Αθήνα", "αθηνα"]),
    ("Hebrew", "iso-8859-8", "שלום מירושלים", ["שלום", "מירושל*", "מירושלים"]),
    ("Arabic", "cp1256", "اجتماع في القاهرة", ["اجتماع", "القاهرة"]),
    ("Hindi", "utf-8", "बैठक कल होगी", ["बैठक", "कल"]),
    ("Thai", "tis-620", "ประชุมพรุ่งนี้ที่กรุงเทพ", ["ประชุม", "กรุงเทพ", "พรุ่งนี้"]),
    ("Vietnamese", "utf-8", "Cuộc họp tại Hà Nội", ["hà nội", "ha noi", "hop"]),
    ("Chinese", "gb2312", "明天在北京开会，请准时参加", ["北京", "开会", "京开", "请"]),
    ("Chinese, traditional", "big5", "明天在臺北開會", ["臺北", "會"]),
    ("Japanese", "iso-2022-jp", "明日は東京都庁で会議です", ["東京", "京都庁", "会議", "議"]),
    ("Japanese, Shift_JIS", "shift_jis", "ｶﾀｶﾅのメール", ["カタカナ", "メール"]),
    ("Korean", "euc-kr", "내일 서울에서 회의가 있습니다", ["서울", "회의", "서울에서"]),
]  # fmt: skip


def written_in(charset: str, text: str, *, number: int) -> bytes:
    """Return a message with the text in its body, and its beginning in its subject and an attachment's name."""
    word = b64encode(text[:12].encode(charset)).decode()
    body = b64encode(text.encode(charset)).decode()
    return (
        f"From: sender{number}@example.org\r\nSubject: =?{charset}?B?{word}?=\r\n"
        f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}\r\n"
    ).encode()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Office:
    office = Office(tmp_path_factory.mktemp("office"))
    texts = [(charset, text) for _, charset, text, _ in LANGUAGES]
    office.copy(written_in(charset, text, number=number) for number, (charset, text) in enumerate(texts))
    return office


def found(office: Office, capsys: pytest.CaptureFixture[str], query: str) -> list[str]:
    """Return the subjects of what a query finds, oldest first."""
    capsys.readouterr()
    assert office.call("search", query, "--json") == 0
    report = document(capsys.readouterr().out)
    hits = report["hits"]
    assert isinstance(hits, list)
    assert report["total"] == len(hits)
    return [str(hit["subject"]) for hit in reversed(hits)]


@pytest.mark.parametrize(("language", "charset", "text", "queries"), LANGUAGES, ids=[row[0] for row in LANGUAGES])
def test_finds_words_of_every_language_in_its_own_charset(
    library: Office,
    capsys: pytest.CaptureFixture[str],
    language: str,
    charset: str,
    text: str,
    queries: list[str],
) -> None:
    number = next(place for place, row in enumerate(LANGUAGES) if row[0] == language)
    for query in queries:
        assert len(found(library, capsys, f"{query} from:sender{number}")) == 1, query
        assert found(library, capsys, f"not ({query}) from:sender{number}") == [], query


def test_a_part_of_a_word_is_found_only_where_words_have_no_blanks(
    library: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    assert found(library, capsys, "uarterl") == []
    assert len(found(library, capsys, "quarterly")) == 1


def test_what_a_reader_does_not_see_parts_no_word(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    html = "Content-Type: text/html; charset=utf-8\r\n\r\n<p>Rech&shy;nung, Dampf&#8203;schiff, Boden<wbr>see</p>"
    office.copy(
        [
            f"Subject: html\r\n{html}\r\n".encode(),
            mail("plain", "Ihre Rech\u00adnung f\u00fcr Dampf\u200bschiff und Bodensee"),
        ]
    )
    for query in ("rechnung", "Rech\u00adnung", "dampfschiff", "bodensee", "rechn*"):
        assert sorted(found(office, capsys, query)) == ["html", "plain"], query
    assert found(office, capsys, "rech or nung or schiff") == []


def test_letters_are_found_as_people_type_them(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    names = [
        "S\u00f8rensen",
        "\u0141\u00f3d\u017a",
        "\u0110or\u0111evi\u0107",
        "\u0153uvre",
        "\u00c6sir",
        "\u00de\u00f3r",
    ]
    office.copy(mail(f"=?utf-8?b?{b64encode(name.encode()).decode()}?=") for name in names)
    for typed, name in zip(("sorensen", "lodz", "dordevic", "oeuvre", "aesir", "THOR"), names, strict=True):
        assert found(office, capsys, typed) == [name]
        assert found(office, capsys, name) == [name]


def test_an_emoji_alone_is_found(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    subjects = {"party": "happy \U0001f389 birthday", "love": "\u2764\ufe0f", "thumb": "ok \U0001f44d\U0001f3fd"}
    office.copy(
        mail(name, sender=f"=?utf-8?b?{b64encode(text.encode()).decode()}?= <a@b>") for name, text in subjects.items()
    )
    assert found(office, capsys, "\U0001f389") == ["party"]
    assert found(office, capsys, "from:\u2764") == ["love"]
    assert found(office, capsys, "\U0001f44d") == ["thumb"]
    assert found(office, capsys, '"happy birthday" \U0001f389') == ["party"]
    assert found(office, capsys, "subject:\U0001f389") == []


def test_a_raw_subject_of_four_characters_is_found(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.copy(["Subject: 会议通知\r\nFrom: a@b\r\n\r\nx\r\n".encode("gbk")])
    assert found(office, capsys, "会议") == ["会议通知"]


def test_a_mark_of_utf_8_hides_no_subject(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.copy([b"\xef\xbb\xbfSubject: from windows\r\nTo: b\r\n\r\nx\r\n"])
    assert found(office, capsys, "subject:windows") == ["from windows"]


def test_an_unknown_field_is_told_and_searched_as_words(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.copy([mail("frm a letter to bob"), mail("bob")])
    assert office.call("search", "frm:bob") == 0
    said = capsys.readouterr()
    assert 'frm: is not a field (did you mean from:?); searched as the words "frm" and "bob"\n' in said.err
    assert len(said.out.splitlines()) == 1
    assert office.call("search", "frm:bob", "--json") == 0
    remarks = document(capsys.readouterr().out)["remarks"]
    assert isinstance(remarks, list)
    assert len(remarks) == 1


def test_an_index_of_another_version_is_built_again(five: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(found(five, capsys, "two")) == 2
    with closing(sqlite3.connect(five.state_dir / FILE_NAME)) as sql:
        sql.execute("pragma user_version = 1")
        sql.execute("delete from owners")
        sql.commit()
    heard: list[int] = []
    with closing(Ledger.open(five.state_dir)) as ledger:
        answer = search(parse_query("two account:alice"), five.config, ledger, on_rebuild=heard.append)
    assert (answer.total, heard) == (2, [5])


def test_why_a_large_index_is_built_again_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    listen = rebuilding(Console(), 3)
    listen(2)
    assert capsys.readouterr().err == ""
    listen(3)
    assert capsys.readouterr().err == "the search index is of another version: it is built again, 3 messages\n"


def test_an_index_that_turns_out_damaged_is_one_sentence(five: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(found(five, capsys, "two")) == 2
    with closing(sqlite3.connect(five.state_dir / FILE_NAME)) as sql:
        sql.execute("delete from words_data")
        sql.commit()
    assert five.call("search", "two") == 1
    assert "the search index cannot be read: " in (said := capsys.readouterr().err)
    assert "`mailferry reindex`" in said
    assert "internal error" not in said


@pytest.fixture
def five(office: Office) -> Office:
    office.copy(
        [
            mail(
                "alpha", "one two three", "Ann <ann@example.org>", Date="Mon, 1 Jan 2024 12:00:00 +0000", To="bob@x.org"
            ),
            mail("beta", "two three four", "bob@x.org", Date="Thu, 1 Feb 2024 12:00:00 +0000", Cc="Carl <carl@y.org>"),
            mail("gamma", "x" * 5_000, "carl@y.org", Date="Fri, 1 Mar 2024 12:00:00 +0000", Message_ID="<g@y.org>"),
            mail("delta", "list mail", "l@z.org", List_Id="Developers <dev.z.org>"),
            (
                b"From: ann@example.org\r\nSubject: epsilon\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee\r\n"
                b"--b\r\nContent-Type: application/pdf; name=Rechnung_2024.pdf\r\n\r\nx\r\n--b--\r\n"
            ),
        ]
    )
    return office


@pytest.mark.parametrize(
    ("query", "subjects"),
    [
        ("two", ["alpha", "beta"]),
        ('"two three"', ["alpha", "beta"]),
        ('"three two"', []),
        ("two one", ["alpha"]),
        ("one or four", ["alpha", "beta"]),
        ("two not four", ["alpha"]),
        ("two -one", ["beta"]),
        ("(one or four) cc:carl", ["beta"]),
        ("from:ann", ["epsilon", "alpha"]),
        ("from:ann@example.org", ["epsilon", "alpha"]),
        ("ann", ["epsilon", "alpha"]),
        ("to:bob", ["alpha"]),
        ("cc:carl@y.org", ["beta"]),
        ("subject:two", []),
        ("body:two", ["alpha", "beta"]),
        ("list:dev", ["delta"]),
        ("id:g@y.org", ["gamma"]),
        ("id:<g@y.org>", ["gamma"]),
        ("larger:4kB", ["gamma"]),
        ("smaller:4kB subject:gamma", []),
        ("has:attachment", ["epsilon"]),
        ("attachment:rechnung", ["epsilon"]),
        ("attachment:2024", ["epsilon"]),
        ("date:2024-02", ["beta"]),
        ("date:2024-01..2024-02", ["alpha", "beta"]),
        ("before:2024-02-01", ["alpha"]),
        ("after:2024-02-01", ["beta", "gamma"]),
        ("not after:2024-02-01", ["epsilon", "delta", "alpha"]),
        ("account:alice", ["epsilon", "delta", "alpha", "beta", "gamma"]),
        ("account:nobody", []),
        ("*", ["epsilon", "delta", "alpha", "beta", "gamma"]),
        ("!!!", []),
        ("has:problem", []),
    ],
)
def test_a_query_finds(five: Office, capsys: pytest.CaptureFixture[str], query: str, subjects: list[str]) -> None:
    assert sorted(found(five, capsys, query)) == sorted(subjects)


def test_hits_are_as_the_contract_says_newest_first(five: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert five.call("search", "two", "--json") == 0
    report = document(capsys.readouterr().out)
    assert report["query"] == "two"
    assert report["total"] == 2
    hits = report["hits"]
    assert isinstance(hits, list)
    assert [hit["subject"] for hit in hits] == ["beta", "alpha"]
    assert hits[1] == {
        "id": hits[1]["digest"][:20],
        "account": "alice",
        "accounts": ["alice"],
        "date": "2024-01-01T12:00:00+00:00",
        "from": "Ann <ann@example.org>",
        "to": "bob@x.org",
        "subject": "alpha",
        "octets": hits[1]["octets"],
        "digest": hits[1]["digest"],
        "problem": None,
    }


def test_limit_leaves_the_total_as_it_is(five: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert five.call("search", "*", "--limit", "2", "--json") == 0
    report = document(capsys.readouterr().out)
    assert report["total"] == 5
    assert isinstance(report["hits"], list)
    assert len(report["hits"]) == 2


def test_the_newest_message_is_found_at_once(five: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert found(five, capsys, "subject:zeta") == []
    five.copy([mail("zeta")], is_seen=False)
    assert found(five, capsys, "subject:zeta") == ["zeta"]


def test_a_query_that_makes_no_sense_is_wrong_usage(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert office.call("search", "(a") == 2
    assert "( without its )" in capsys.readouterr().err


def test_without_an_archive_nothing_is_found_and_nothing_made(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    assert found(office, capsys, "x") == []
    assert not office.state_dir.exists()


@pytest.mark.parametrize("harm", [b"", b"garbage" * 1_000, None])
def test_an_index_that_is_damaged_or_gone_is_made_anew(
    five: Office, capsys: pytest.CaptureFixture[str], harm: bytes | None
) -> None:
    assert len(found(five, capsys, "two")) == 2
    for leftover in five.state_dir.glob(f"{FILE_NAME}-*"):
        leftover.unlink()
    if harm is None:
        (five.state_dir / FILE_NAME).unlink()
    else:
        (five.state_dir / FILE_NAME).write_bytes(harm)
    assert len(found(five, capsys, "two")) == 2


def test_a_message_that_cannot_be_parsed_is_found_by_what_is_known_of_it(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    office.copy([nested(2_000), empty_parts(100_000), mail("ordinary")])
    assert found(office, capsys, "nested deeply") == ["nested deeply"]
    assert found(office, capsys, 'subject:"empty parts" larger:500kB') == ["empty parts"]
    assert sorted(found(office, capsys, "has:problem")) == ["empty parts", "nested deeply"]
    assert office.call("search", "nested") == 0
    assert "not parsed: its parts are nested too deeply" in capsys.readouterr().out


def test_a_shared_archive_tells_whose_a_message_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    office = Office(tmp_path, {"alice": ["mbox:shared"], "bob": ["mbox:shared"]})
    office.copy([mail("for alice"), mail("for both")], "alice")
    office.copy([mail("for both"), mail("for bob")], "bob")
    office.copy([mail("from nowhere")], "bob", is_seen=False)
    assert sorted(found(office, capsys, "account:alice")) == ["for alice", "for both", "from nowhere"]
    assert sorted(found(office, capsys, "account:bob")) == ["for bob", "for both", "from nowhere"]


def test_a_message_seen_later_by_another_account_belongs_to_it_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    office = Office(tmp_path, {"alice": ["mbox:shared"], "bob": ["mbox:shared"]})
    office.copy([mail("first")], "alice")
    assert found(office, capsys, "account:bob") == []
    office.copy([mail("first")], "bob")
    assert found(office, capsys, "account:bob") == ["first"]
    assert found(office, capsys, "account:alice") == ["first"]


def test_a_damaged_copy_waits_and_is_indexed_once_it_can_be_read(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    office.copy([mail("one"), mail("two")])
    [volume] = (office.root / "archive/alice").glob("*.mbox")
    whole = volume.read_bytes()
    volume.write_bytes(whole.replace(b"Subject: two", b"Subject: tWo"))
    capsys.readouterr()
    assert office.call("search", "*") == 0
    assert "1 message cannot be searched yet" in capsys.readouterr().err
    volume.write_bytes(whole)
    assert found(office, capsys, "subject:two") == ["two"]


def test_a_copy_elsewhere_stands_in_for_a_damaged_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    office = Office(tmp_path, {"alice": ["mbox:a", "maildir:b"]})
    office.copy([mail("one")])
    [volume] = (tmp_path / "a").glob("*.mbox")
    volume.unlink()
    assert found(office, capsys, "one") == ["one"]


def test_another_ledger_is_noticed(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.copy([mail("old"), mail("kept")])
    assert len(found(office, capsys, "*")) == 2
    for part in office.state_dir.glob(f"{LEDGER_NAME}*"):
        part.unlink()
    for volume in (office.root / "archive/alice").glob("*.mbox"):
        volume.unlink()
    office.copy([mail("new"), mail("kept")])
    assert sorted(found(office, capsys, "*")) == ["kept", "new"]


def test_while_another_process_indexes_a_search_goes_on_with_what_there_is(five: Office) -> None:
    with five.opened() as (ledger, reader, index):
        assert bring_up_to_date(index, ledger, reader, five.state_dir) is not None
        five.copy([mail("late")], is_seen=False)
        with exclusively(five.state_dir, patience=0) as is_ours:
            assert is_ours
            assert bring_up_to_date(index, ledger, reader, five.state_dir) is None
        followed = bring_up_to_date(index, ledger, reader, five.state_dir)
        assert followed is not None
        assert followed.added == 1


def test_only_what_is_new_is_read(five: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    with five.opened() as (ledger, reader, index):
        bring_up_to_date(index, ledger, reader, five.state_dir)
        monkeypatch.setattr(Parser, "index", None)
        again = bring_up_to_date(index, ledger, reader, five.state_dir)
        assert again is not None
        assert again.added == 0


def test_files_are_for_the_owner_only(five: Office) -> None:
    before = os.umask(0)
    try:
        assert five.call("search", "two") == 0
    finally:
        os.umask(before)
    assert {path.name: path.stat().st_mode & 0o077 for path in five.state_dir.iterdir()} == {
        path.name: 0 for path in five.state_dir.iterdir()
    }


def test_after_a_run_the_index_is_up_to_date_before_anybody_asks(five: Office) -> None:
    index_what_is_new(five.config)
    with five.opened() as (ledger, _, index):
        assert index.search(Everything())[0] == 5
        assert ledger.archive.contents_after(index.progress.number, 1) == []


def test_a_long_message_on_a_bad_spot_of_the_disk_hides_no_other(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = office.copy([mail("one"), mail("long", "x\n" * 1_000_000), mail("two")])

    def unreadable(_body: object) -> bytes:
        raise FerryError(Kind.ARCHIVE, "reading failed: Input/output error")

    original = digest_of_body
    monkeypatch.setattr(
        shelves_module,
        "digest_of_body",
        lambda body: original(body) if isinstance(body, MemoryBody) else unreadable(body),
    )
    with office.opened() as (_, reader, _index):
        answers = {digest: isinstance(body, FerryError) for digest, body in reader.read(digests)}
    assert [answers[digest] for digest in digests] == [False, True, False]
