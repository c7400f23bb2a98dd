"""Guesses where the mail of a domain is, by the names that most have: ``pop.``, ``pop3.``, ``mail.`` and the domain.

TLS from the first byte comes first, then TLS begun by a command. Candidates are tried a tenth of a second apart, side
by side; the first that proves its name by TLS is taken. Nothing else is guessed: no second user name, ever.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from migrator.discovery.address import Address
from migrator.discovery.at_once import Answers, Patience, ask_all
from migrator.discovery.found import Found, Origin, Outcome
from migrator.net.first_words import Service
from migrator.net.tls import TlsMode

Prove = Callable[[Sequence[Found], Service], Outcome]

_PREFIXES = {Service.POP3: ("pop.", "pop3.", "mail.", ""), Service.IMAP: ("imap.", "mail.", "")}
_WAYS = {
    Service.POP3: ((995, TlsMode.IMPLICIT), (110, TlsMode.STARTTLS)),
    Service.IMAP: ((993, TlsMode.IMPLICIT), (143, TlsMode.STARTTLS)),
}
SECONDS = 5.0
BETWEEN = 0.1


def candidates(address: Address, service: Service) -> list[Found]:
    """Return what is tried, the likeliest first."""
    return [
        Found(f"{prefix}{address.domain}", port, mode, str(address), Origin.GUESS, "was guessed")
        for port, mode in _WAYS[service]
        for prefix in _PREFIXES[service]
    ]


def guess(address: Address, service: Service, prove: Prove) -> Outcome:
    """Return the first candidate that proves its name, else servers that certificates name."""
    tried = candidates(address, service)

    def asking(candidate: Found) -> Callable[[], Outcome]:
        return lambda: prove([candidate], service)

    def is_direct(answers: Answers) -> bool:
        return any(found in _hosts(tried) for found in _found_hosts(answers))

    patience = Patience(SECONDS, is_direct, is_good=lambda answers: any(_found_hosts(answers)), between=BETWEEN)
    answers = ask_all([asking(candidate) for candidate in tried], patience)
    found = [one for number in sorted(answers) for one in answers[number].found]
    own = _hosts(tried)
    ranked = sorted(found, key=lambda one: one.host not in own)
    return Outcome(tuple(ranked), tuple(note for number in sorted(answers) for note in answers[number].notes))


def _hosts(found: Sequence[Found]) -> set[str]:
    return {one.host for one in found}


def _found_hosts(answers: Answers) -> list[str]:
    return [one.host for outcome in answers.values() for one in outcome.found]
