from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from migrator.config.secrets import (
    CommandSecret,
    CredentialSecret,
    EnvironmentSecret,
    FileSecret,
    KeyringSecret,
    Secret,
    TextSecret,
)
from migrator.errors import Advice, FerryError, Kind


def refusal(secret: Secret) -> FerryError:
    with pytest.raises(FerryError) as caught:
        secret.reveal()
    error = caught.value
    assert (error.kind, error.advice, error.finding) == (Kind.AUTH, Advice.LATER, "secret-missing")
    return error


def python(program: str) -> str:
    return f'{sys.executable} -c "{program}"'


@pytest.mark.parametrize(
    "secret",
    [TextSecret("hunter2"), CommandSecret("echo hunter2"), FileSecret(Path("hunter2")), KeyringSecret("hunter2", "u")],
)
def test_repr_and_str_are_stars(secret: Secret) -> None:
    assert "hunter2" not in f"{secret!r} {secret}"
    assert "***" in repr(secret)
    assert str(secret) == "***"


def test_a_variable_is_read_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = EnvironmentSecret("MAILFERRY_TEST")
    monkeypatch.delenv("MAILFERRY_TEST", raising=False)
    assert secret.missing() == "the environment variable MAILFERRY_TEST is not set"
    assert refusal(secret).message == secret.missing()
    monkeypatch.setenv("MAILFERRY_TEST", "gehéim")
    assert secret.missing() is None
    assert secret.reveal() == "gehéim"


@pytest.mark.parametrize(
    ("content", "value"), [(b"a", "a"), (b"a\n", "a"), (b"a\r\n", "a"), (b" a b \n", " a b "), ("ü\n".encode(), "ü")]
)
def test_one_final_newline_of_a_file_is_dropped(tmp_path: Path, content: bytes, value: str) -> None:
    (tmp_path / "password").write_bytes(content)
    assert FileSecret(tmp_path / "password").reveal() == value


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "gives nothing"), (b"\n", "gives nothing"), (b"x\n\n", "more than one line"), (b"x\ny", "more than one line"),
     (b"x\0", "more than one line")],
)  # fmt: skip
def test_a_value_that_would_break_a_command_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "password").write_bytes(content)
    assert reason in refusal(FileSecret(tmp_path / "password")).message


def test_bytes_that_are_no_utf_8_arrive_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    latin = "grün".encode("latin-1")
    (tmp_path / "password").write_bytes(latin + b"\n")
    monkeypatch.setitem(os.environb, b"MAILFERRY_TEST", latin)
    command = CommandSecret(python("import sys; sys.stdout.buffer.write(bytes([0x67, 0x72, 0xfc, 0x6e, 10]))"))
    for secret in (FileSecret(tmp_path / "password"), EnvironmentSecret("MAILFERRY_TEST"), command):
        assert secret.reveal().encode(errors="surrogateescape") == latin


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    secret = FileSecret(tmp_path / "password")
    assert secret.missing() == f"the password file {tmp_path}/password is not there"
    assert "cannot be read: No such file" in refusal(secret).message


def test_a_credential_of_systemd_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = CredentialSecret("alice")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert "$CREDENTIALS_DIRECTORY is not set" in refusal(secret).message
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert secret.missing() == "the credential alice is not in $CREDENTIALS_DIRECTORY"
    (tmp_path / "alice").write_text("hunter2\n")
    assert secret.missing() is None
    assert secret.reveal() == "hunter2"


def test_a_command_is_split_into_words_and_run_without_a_shell() -> None:
    assert CommandSecret(python("import sys; print(sys.argv[1:])") + " '$HOME' a\\ b ';'").reveal() == (
        "['$HOME', 'a b', ';']"
    )


def test_a_command_gets_no_input_and_none_of_our_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILFERRY_TEST", "hunter2")
    monkeypatch.setenv("MAILFERRY_OTHER", "seen")
    program = "import os, sys; print(repr(sys.stdin.read()), os.getenv('MAILFERRY_TEST'), os.getenv('MAILFERRY_OTHER'))"
    assert CommandSecret(python(program), frozenset({"MAILFERRY_TEST"})).reveal() == "'' None seen"


def test_a_failing_command_is_named_without_its_words_or_output() -> None:
    program = "import sys; print('hunter2'); print('hunter2', file=sys.stderr); sys.exit(3)"
    error = refusal(CommandSecret(python(program)))
    assert "failed with exit code 3" in error.message
    assert sys.executable in error.message
    assert "hunter2" not in f"{error} {error.__cause__} {error.__context__}"


def test_a_command_that_does_not_end_is_ended() -> None:
    error = refusal(CommandSecret(python("import time; print('hunter2', flush=True); time.sleep(60)"), timeout=0.5))
    assert "did not end within" in error.message
    assert error.__cause__ is None


def test_a_command_that_is_not_there_is_named() -> None:
    error = refusal(CommandSecret("/nowhere/pass show x"))
    assert "cannot be run: No such file" in error.message
    assert error.cure == "install /nowhere/pass, or correct password.command"
    assert "gives nothing" in refusal(CommandSecret("true")).message


class Keyring(ModuleType):
    """A stand-in for the optional package, with what ours uses of it."""

    def __init__(self, entries: dict[tuple[str, str], str], *, locked: bool = False) -> None:
        super().__init__("keyring")
        self.errors = ModuleType("keyring.errors")
        self.errors.KeyringError = type("KeyringError", (Exception,), {})  # type: ignore[attr-defined]  # made here
        self.entries = entries
        self.locked = locked

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise self.errors.KeyringError("hunter2")
        return self.entries.get((service, username))


def test_the_keyring_is_asked_for_service_and_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", Keyring({("mail", "alice"): "hunter2"}))
    assert KeyringSecret("mail", "alice").reveal() == "hunter2"
    assert "store it: keyring set mail bob" in str(refusal(KeyringSecret("mail", "bob")))


def test_a_keyring_that_cannot_be_asked_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", Keyring({}, locked=True))
    assert refusal(KeyringSecret("mail", "alice")).message == "the keyring cannot be asked (KeyringError)"
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert refusal(KeyringSecret("mail", "alice")).cure.endswith(" -m pip install keyring")
