from __future__ import annotations

import ast
import pickle
from pathlib import Path

import pytest
from hypothesis import given, strategies

from migrator.errors import LOCAL, Correction, DefectError, Endpoint, FerryError, Kind, contained, legible, printable
from migrator.report import Problem

POP, IMAP = Endpoint("Pop.example.org", 995), Endpoint("imap.example.org", 993)


def test_the_first_seam_that_an_error_passes_names_the_server() -> None:
    error = FerryError(Kind.CONNECT, "gone")
    assert error.endpoint is None
    error.blame(IMAP).blame(POP)
    assert error.endpoint == IMAP


@pytest.mark.parametrize("kind", sorted(LOCAL))
def test_a_failure_of_this_machine_is_no_servers_fault(kind: Kind) -> None:
    assert FerryError(kind, "full").blame(POP).endpoint is None


def test_the_server_at_fault_is_known_in_another_process() -> None:
    arrived = pickle.loads(pickle.dumps(FerryError(Kind.TIMEOUT, "silent", endpoint=POP)))  # noqa: S301  # our own
    assert arrived.endpoint == POP
    assert str(arrived.endpoint) == "pop.example.org:995"


def test_the_settings_that_cure_it_are_known_in_another_process_and_to_the_ledger() -> None:
    settings = (Correction("fingerprint", "ab12"), Correction("ca_file", None))
    error = FerryError(Kind.TLS, "not trusted", finding="certificate", settings=settings)
    arrived = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own
    assert arrived.settings == settings
    problem = Problem.of(arrived)
    assert problem.as_memory()["settings"] == {"fingerprint": "ab12", "ca_file": None}
    assert "settings" not in problem.as_json()


def test_a_defect_of_ours_comes_out_as_an_error_that_holds_it() -> None:
    defect = KeyError("hunter2")
    with pytest.raises(DefectError) as raised, contained():
        raise defect
    assert raised.value.defect is defect
    assert raised.value.kind is Kind.INTERNAL
    assert pickle.loads(pickle.dumps(raised.value)).kind is Kind.INTERNAL  # noqa: S301  # our own


@pytest.mark.parametrize("ends", [FerryError(Kind.AUTH, "no"), KeyboardInterrupt(), SystemExit(2)])
def test_what_has_a_meaning_passes_as_it_is(ends: BaseException) -> None:
    with pytest.raises(type(ends)) as raised, contained():
        raise ends
    assert raised.value is ends


def test_everything_is_caught_in_one_place_only() -> None:
    root = Path(__file__).parents[2]
    catching = [
        path.relative_to(root).as_posix()
        for package in ("migrator", "jobs")
        for path in (root / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ExceptHandler) and node.type is not None
        for name in ast.walk(node.type)
        if isinstance(name, ast.Name) and name.id == "Exception"
    ]
    assert catching == ["migrator/errors.py"]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("系统繁忙, 请稍后再试".encode(), "系统繁忙, 请稍后再试"),
        ("Почтовый ящик занят".encode(), "Почтовый ящик занят"),
        ("登录太频繁".encode("gbk"), "登录太频繁"),  # zmail #30
        ("mot de passe erroné".encode("latin-1"), "mot de passe erron\\xe9"),
        ("неверный пароль".encode("koi8-r"), None),
        ("パスワードが違います".encode("euc-jp"), None),
        (b"\x1b[2J\x07 bell \x7f", "\\x1b[2J\\x07 bell \\x7f"),
        ("\x9b31m red".encode(), "\\x9b31m red"),
        ("a\u202egnp.exe\u2066\u200b".encode(), "a\\u202egnp.exe\\u2066\\u200b"),
        ("line\u2028break\u00a0space".encode(), "line\\u2028break space"),
        ("\U000e0041tag".encode(), "\\U000e0041tag"),
        (b"cut \xe7\x99", "cut \\xe7\\x99"),
    ],
)
def test_a_servers_words_are_text_where_they_are_that_and_control_nothing(words: bytes, shown: str | None) -> None:
    assert printable(words) == (shown or words.decode("ascii", "backslashreplace"))


def test_words_are_cut_at_characters() -> None:
    assert printable("繁".encode() * 400) == "繁" * 300 + "…"
    assert printable("繁".encode() * 300) == "繁" * 300


def test_a_secret_is_hidden_in_text_too() -> None:
    assert printable("парол 密码 тайна".encode(), secrets=("тайна".encode(),)) == "парол 密码 ***"


@given(strategies.binary(max_size=400))
def test_whatever_a_server_says_is_one_printable_line(words: bytes) -> None:
    assert printable(words).isprintable()


@pytest.mark.parametrize("written", ["a\nb", "\x1b[31m", "\u202egro", "\u2067x", "a\u2028b", "\x9b2J", "\x00"])
def test_text_from_outside_becomes_one_line_that_steers_nothing(written: str) -> None:
    assert legible(written).isprintable()
    assert legible(f"grün, 日本 {written}").startswith("grün, 日本 ")


def test_the_lines_of_a_message_are_ours_and_hold_nothing_that_steers() -> None:
    error = FerryError(Kind.TLS, "one\n    two\x1b[2J\nall is well", cure="three\u202e")
    assert str(error).splitlines() == ["one", "    two\\x1b[2J\\x0aall is well", "    three\\u202e"]


def test_no_server_is_blamed_for_a_password_that_is_not_there() -> None:
    assert FerryError(Kind.AUTH, "no pass", finding="secret-missing").blame(POP).endpoint is None
    assert FerryError(Kind.AUTH, "refused", finding="auth-refused").blame(POP).endpoint is POP
