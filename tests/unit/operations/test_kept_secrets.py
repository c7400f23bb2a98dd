from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError, PasswordSetError

from migrator.config.new_account import Home
from migrator.errors import ConfigError
from migrator.operations.kept_secrets import Keeper, forget_keyring


class InMemory(KeyringBackend):
    """A keyring that keeps what it is given; ``drops``: or says that it does; ``refuses``: or refuses."""

    priority = 1

    def __init__(self, *, drops: bool = False, refuses: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the package ships no types
        self.kept: dict[tuple[str, str], str] = {}
        self._drops, self._refuses = drops, refuses

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self._refuses:
            raise PasswordSetError("locked")
        if not self._drops:
            self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("not there")


@pytest.fixture(autouse=True)
def _keyring_of_before() -> Iterator[None]:
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


def test_a_keyring_that_works_is_used(tmp_path: Path) -> None:
    backend = InMemory()
    keyring.set_keyring(backend)
    with ExitStack() as undo:
        assert Keeper(Home(tmp_path, True), undo).keep("alice", "alice@example.org", "secret") == {
            "keyring": "mailferry alice"
        }
        undo.pop_all()
    assert backend.kept == {("mailferry alice", "alice@example.org"): "secret"}
    assert list(tmp_path.iterdir()) == []
    forget_keyring("mailferry alice", "alice@example.org")
    forget_keyring("mailferry alice", "alice@example.org")
    assert backend.kept == {}


def test_an_entry_of_somebody_else_is_never_removed() -> None:
    backend = InMemory()
    keyring.set_keyring(backend)
    backend.set_password("mail", "alice", "theirs")
    forget_keyring("mail", "alice")
    assert backend.kept == {("mail", "alice"): "theirs"}


@pytest.mark.parametrize("backend", [InMemory(drops=True), InMemory(refuses=True)])
@pytest.mark.parametrize("is_beside", [True, False])
def test_a_file_of_its_own_stands_in_for_a_keyring_that_does_not(
    backend: InMemory, is_beside: bool, tmp_path: Path
) -> None:
    keyring.set_keyring(backend)
    path = tmp_path / "secrets" / "alice"
    with ExitStack() as undo:
        reference = Keeper(Home(tmp_path, is_beside), undo).keep("alice", "alice@example.org", "secret")
        undo.pop_all()
    assert reference == {"file": "secrets/alice" if is_beside else str(path)}
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (
        "secret",
        0o600,
        0o700,
    )


@pytest.mark.parametrize("backend", [InMemory(), InMemory(drops=True)])
def test_what_is_undone_leaves_nothing(backend: InMemory, tmp_path: Path) -> None:
    keyring.set_keyring(backend)
    with ExitStack() as undo:
        Keeper(Home(tmp_path, True), undo).keep("alice", "alice@example.org", "secret")
    assert backend.kept == {}
    assert list(tmp_path.iterdir()) == []


def test_the_file_of_another_account_is_not_replaced_and_one_that_was_left_over_is(tmp_path: Path) -> None:
    keyring.set_keyring(InMemory(drops=True))
    path = tmp_path / "secrets" / "alice"
    path.parent.mkdir()
    path.write_text("theirs")
    with ExitStack() as undo, pytest.raises(ConfigError, match="of another account"):
        Keeper(Home(tmp_path, True), undo, {path}).keep("alice", "alice@example.org", "secret")
    assert path.read_text() == "theirs"
    with ExitStack() as undo:
        Keeper(Home(tmp_path, True), undo).keep("alice", "alice@example.org", "secret")
        undo.pop_all()
    assert path.read_text() == "secret"
