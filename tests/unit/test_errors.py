from __future__ import annotations

import pickle

import pytest

from migrator.errors import LOCAL, Endpoint, FerryError, Kind

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
