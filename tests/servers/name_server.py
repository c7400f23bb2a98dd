"""A name server on loopback that knows what a test says (RFC 1035), and remembers what it was asked.

    with NameServer({"example.org": {"MX": ["10 mx.hoster.example."], "A": ["127.0.0.1"]}}) as names:
        ...
    assert "_pop3s._tcp.example.org SRV" in names.asked

A name that it does not know does not exist; ``SILENT`` names get no answer at all.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from threading import Thread
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from dns.exception import DNSException

from tests.servers.process import LOOPBACK

Zone = Mapping[str, Mapping[str, Sequence[str]]]


class NameServer:
    """Answers over UDP; stops at the end of its ``with`` block. ``says_validated`` sets the AD flag."""

    def __init__(
        self, zone: Zone, *, port: int = 0, silent: Collection[str] = (), says_validated: bool = False
    ) -> None:
        self._zone = zone
        self._silent = frozenset(silent)
        self._says_validated = says_validated
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, port))
        self.port: int = self._socket.getsockname()[1]
        self._thread = Thread(target=self._serve, name="name-server", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waking:
            waking.sendto(b"", (LOOPBACK, self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                wire, client = self._socket.recvfrom(4096)
            except OSError:
                return
            if not wire:
                return
            with suppress(DNSException, OSError):
                if (answer := self._answer(dns.message.from_wire(wire))) is not None:
                    self._socket.sendto(answer.to_wire(), client)

    def _answer(self, query: dns.message.Message) -> dns.message.Message | None:
        [question] = query.question
        name, kind = question.name.to_text(omit_final_dot=True).lower(), question.rdtype.name
        self.asked.append(f"{name} {kind}")
        if name in self._silent:
            return None
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA | (dns.flags.AD if self._says_validated else 0)
        known = self._zone.get(name)
        if known is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif kind in known:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *known[kind]))
        return answer
