"""The quota is asked for once, and again when it may be used up."""

from __future__ import annotations

from migrator.imap.room import Room


class Server:
    """Answers with the next of its quotas, each in octets used and allowed."""

    def __init__(self, *quotas: tuple[int, int] | None) -> None:
        self.quotas = list(quotas)

    def quota(self) -> tuple[int, int] | None:
        return self.quotas.pop(0)


def test_what_is_announced_is_taken_off_without_asking() -> None:
    room, server = Room(), Server((10, 100))
    assert [room.take(40, server.quota), room.take(40, server.quota)] == [90, 50]


def test_the_server_is_asked_again_when_it_may_be_full() -> None:
    room, server = Room(), Server((10, 100), (50, 500))
    assert [room.take(80, server.quota), room.take(80, server.quota)] == [90, 450]


def test_a_mailbox_that_is_over_its_quota_has_no_room() -> None:
    assert Room().take(1, Server((120, 100)).quota) == 0


def test_where_there_is_no_quota_it_is_not_asked_for_again() -> None:
    room, server = Room(), Server(None)
    assert [room.take(1 << 40, server.quota), room.take(1 << 40, server.quota)] == [None, None]
