"""What a finished run means for the next one: error advice and attempts in, decision out.

Pure: no clock, no chance, no memory of its own. ``migrate`` never asks here; parking and back-off bind only ``run``.
"""

from __future__ import annotations

from migrator.backoff import ACCOUNT, DAY, REFUSED_PASSWORD, spread
from migrator.errors import Advice, DefectError, FerryError, Kind, Scope
from migrator.lazy_dataclasses import dataclass
from migrator.report import AccountReport, Status

LONGEST_OBEYED = DAY
"""A server that asks for a longer wait than this is asked again after it all the same."""

SECRET_MISSING = "secret-missing"  # noqa: S105  # the id of a finding
"""What was to log in could not be had here: no server has refused anything."""

SIGN_IN_NEEDED = "sign-in-needed"
"""A person must sign in: a token was renewed already, and no other try helps."""

_CREDENTIALS_CODES = ("[AUTH]", "[AUTHENTICATIONFAILED]")
"""Response codes that say it is the credentials (RFC 3206, section 4; RFC 5530, section 3)."""

_OUTAGES = frozenset({Kind.CONNECT, Kind.TLS, Kind.TIMEOUT, Kind.TEMPORARY})


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How one run ended, as far as the next one is concerned.

    ``host`` is the server at fault, ``""`` where none is. ``announced_gap`` is how many seconds the source says
    it wants between two log-ins (RFC 2449, section 6.5), 0.0 for none; None where it was not asked.
    """

    status: Status
    kind: Kind | None = None
    scope: Scope = Scope.MESSAGE
    advice: Advice = Advice.LATER
    message: str = ""
    wait: float | None = None
    host: str = ""
    announced_gap: float | None = None
    is_interrupted: bool = False
    finding: str = ""
    """What is known of the cause beyond its kind."""
    names_credentials: bool = False
    """Whether the server says by a response code that it is the credentials."""

    @property
    def is_failure(self) -> bool:
        """Whether the account as such could not be worked; single messages have a back-off of their own."""
        return self.status is not Status.OK and (self.status is Status.FAILED or self.scope is not Scope.MESSAGE)

    @property
    def is_refused(self) -> bool:
        """Whether no log-in will do better: the credentials, the way to log in, or a sign-in that has ended."""
        is_final = self.kind is Kind.AUTH and self.advice is Advice.NEVER
        return self.is_failure and is_final and not self.is_secret_missing

    @property
    def is_secret_missing(self) -> bool:
        """Whether there was no password to log in with."""
        return self.is_failure and self.finding == SECRET_MISSING

    @property
    def is_outage(self) -> bool:
        """Whether the host, not the account, seems to be in trouble."""
        return self.is_failure and self.kind in _OUTAGES and self.host != ""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Come again when the schedule says so, but not before this many seconds have passed."""

    gap: float


@dataclass(frozen=True, slots=True)
class Retry:
    """Come again after this many seconds, whatever the schedule says."""

    after: float


@dataclass(frozen=True, slots=True)
class Park:
    """Do not log in again before the account's configuration or a password has changed.

    Looking whether it has is allowed again after ``look_after`` seconds.
    """

    look_after: float


Decision = Scheduled | Retry | Park


def next_attempt(
    outcome: RunOutcome, attempts: int, jitter: float, *, least_gap: float = 0.0, refusals: int | None = None
) -> Decision:
    """Decide on the next run after one that has just ended.

    ``attempts`` counts the failed runs in a row, this one included; ``jitter`` in [0, 1) spreads the retries of
    accounts that failed together over the last third of the wait. ``least_gap`` is what the source is known to want.
    ``refusals`` counts how often in a row what has worked was refused; None for what never has.
    """
    if not outcome.is_failure or outcome.is_secret_missing:
        return Scheduled(least_gap)  # where a password comes from is looked at in every round: that harms nobody
    backed_off = max(spread(ACCOUNT[outcome.advice].retry_delay(attempts), jitter), least_gap)
    is_doubtful = not (outcome.names_credentials or outcome.finding == SIGN_IN_NEEDED)
    if outcome.is_refused and refusals and refusals <= len(REFUSED_PASSWORD) and is_doubtful:
        return Retry(max(REFUSED_PASSWORD[refusals - 1], least_gap))
    if outcome.is_refused:
        # What is wrong does not get better, and servers lock out who insists. A first change is taken up at once.
        return Park(backed_off if attempts > 1 else 0.0)
    if outcome.wait is None:
        return Retry(backed_off)
    asked = min(outcome.wait, LONGEST_OBEYED)
    return Retry(asked if outcome.kind is Kind.LOGIN_DELAY else max(asked, backed_off))


def outcome_of(report: AccountReport) -> RunOutcome:
    """Read from a report what the schedule needs."""
    error, login_delay = report.for_schedule.error, report.for_schedule.login_delay
    if error is None:
        return RunOutcome(report.status, announced_gap=login_delay, is_interrupted=report.interrupted)
    return RunOutcome(
        report.status,
        error.kind,
        error.scope,
        error.advice,
        str(error),
        error.wait,
        str(error.endpoint or ""),
        login_delay,
        report.interrupted,
        error.finding,
        error.server_words.upper().startswith(_CREDENTIALS_CODES),
    )


def crashed(error: FerryError) -> RunOutcome:
    """Return the outcome of a run that ended without a report; a defect of ours is named by its type only."""
    if isinstance(error, DefectError):
        words = f"the run ended with an unexpected {type(error.defect).__name__}"
        return RunOutcome(Status.FAILED, Kind.INTERNAL, Scope.SERVICE, Advice.LATER, words)
    host = str(error.endpoint or "")
    return RunOutcome(Status.FAILED, error.kind, error.scope, error.advice, str(error), error.wait, host)
