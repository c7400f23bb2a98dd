"""A circuit breaker for each host: when a server is down, one account asks now and then, the others wait.

Pure. After three failures in a row that look like the host's, by whatever accounts, the circuit opens. When its time
is over, one account is let through; its success closes the circuit, its failure opens it for twice as long.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jobs.schedule.state_store import Fact, StateStore
from migrator.backoff import HOST
from migrator.lazy_dataclasses import asdict, dataclass, replace

THRESHOLD = 3
TOPIC = "circuits"


@dataclass(frozen=True, slots=True)
class Circuit:
    """What is known of one host: failures in a row, the words of the last, and until when nobody asks it."""

    failures: int = 0
    open_until: float = 0.0
    since: float = 0.0
    message: str = ""
    is_probed: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the host is taken to be down: nobody asks it but one account now and then."""
        return self.failures >= THRESHOLD

    def as_fact(self) -> Fact:
        """Return the form in which it is remembered."""
        return asdict(replace(self, is_probed=False))

    @classmethod
    def from_fact(cls, fact: Fact) -> Circuit:
        """Read what was remembered."""
        return cls(**{name: fact[name] for name in cls.__slots__ if name in fact})  # type: ignore[arg-type]  # by as_fact


class Breakers:
    """The circuits of all hosts, remembered across restarts: a worker that is restarted in a loop hammers nobody."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._circuits = {host: Circuit.from_fact(fact) for host, fact in store.get_all(TOPIC).items()}

    def opens_at(self, host: str, now: float) -> float:
        """Return when the next account may ask this host: ``0.0`` for at once, infinity while one is asking."""
        circuit = self._circuits.get(host)
        if circuit is None or not circuit.is_open:
            return 0.0
        if circuit.is_probed:
            return float("inf")
        # Further away than any pause is long: somebody has set the clock back.
        return circuit.open_until if circuit.open_until - now <= HOST.longest else 0.0

    def probe(self, hosts: Iterable[str], now: float) -> None:
        """Let the next account ask these hosts at once, though they are taken to be down."""
        for host in hosts:
            circuit = self._circuits.get(host)
            if circuit is not None and circuit.is_open:
                self._circuits[host] = replace(circuit, open_until=min(circuit.open_until, now))

    def asks(self, host: str) -> None:
        """Note that an account is about to ask this host."""
        circuit = self._circuits.get(host)
        if circuit and circuit.is_open:
            self._circuits[host] = replace(circuit, is_probed=True)

    def unanswered(self, host: str) -> None:
        """Note that an account that asked came back without a word about this host."""
        circuit = self._circuits.get(host)
        if circuit:
            self._circuits[host] = replace(circuit, is_probed=False)

    def answered(self, host: str) -> bool:
        """Note that the host works: whatever it said, it is alive. Returns whether it had been taken to be down."""
        circuit = self._circuits.pop(host, None)
        if circuit is None:
            return False
        self._store.delete(TOPIC, host)
        return circuit.is_open

    def failed(self, host: str, now: float, message: str = "") -> None:
        """Note one more failure that looks like the host's."""
        before = self._circuits.get(host, Circuit(since=now))
        failures = before.failures + 1
        pause = HOST.retry_delay(failures - THRESHOLD + 1)
        circuit = Circuit(failures, now + pause, before.since, message)
        self._circuits[host] = circuit
        self._store.put(TOPIC, host, circuit.as_fact())

    def keep(self, hosts: frozenset[str]) -> None:
        """Forget every host that no account uses any more."""
        for host in self._circuits.keys() - hosts:
            del self._circuits[host]
            self._store.delete(TOPIC, host)

    def down(self) -> Mapping[str, Circuit]:
        """Return the hosts that are taken to be down."""
        return {host: circuit for host, circuit in self._circuits.items() if circuit.is_open}
