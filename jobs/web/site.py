"""What every screen stands on: the worker it shows, the store of its users, its templates."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from hmac import compare_digest
from importlib.util import find_spec

from jobs.web.challenges import Challenges
from jobs.web.drafts import Drafts
from jobs.web.language import Language, wanted
from jobs.web.languages import shipped_languages
from jobs.web.limits import Limits
from jobs.web.live.rows import Rows
from jobs.web.live.streams import Streams
from jobs.web.openid.provider import OpenIdProvider, OpenIdProviders
from jobs.web.openid.under_way import UnderWay
from jobs.web.parsers import Parsers
from jobs.web.people import User
from jobs.web.run_days import RunDays
from jobs.web.store import AuditEntry, WebStore
from jobs.web.tasks.queue import Tasks
from jobs.web.worker import Worker
from migrator.config import Account
from migrator.lazy_dataclasses import dataclass, field
from migrator.ledger import Ledger

TOKEN_SECONDS = 24 * 3600.0
"""How long the token of the first start is valid."""
MOST_KEPT = 20


class Setup:
    """The token of the first start, of which only the hash is kept; it ends after a day."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._hash = b""
        self._until = 0.0

    def new_token(self) -> str:
        """Return a new token; one that was given before is valid no more."""
        token = secrets.token_urlsafe(18)
        self._hash, self._until = sha256(token.encode()).digest(), self._clock() + TOKEN_SECONDS
        return token

    @property
    def is_over(self) -> bool:
        """Whether the token has ended, or never was."""
        return self._clock() >= self._until

    def is_right(self, token: str) -> bool:
        """Say whether this is the token."""
        digest = sha256(token.strip().encode(errors="replace")).digest()
        return not self.is_over and compare_digest(digest, self._hash)


class ShownOnce:
    """Secrets on their way to the one page that shows them: in memory only, and gone once it was made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, str] = {}

    def keep(self, session: str, secret: str) -> None:
        """Keep a secret for the next page of a session."""
        with self._lock:
            while len(self._kept) >= MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[session] = secret

    def take(self, session: str) -> str:
        """Return what was kept for a session, the empty text for nothing; it is not kept any more."""
        with self._lock:
            return self._kept.pop(session, "")


@dataclass(frozen=True, slots=True)
class Site:
    """One page of one worker."""

    worker: Worker
    store: WebStore
    tasks: Tasks
    setup: Setup = field(default_factory=Setup)
    limits: Limits = field(default_factory=Limits)
    parsers: Parsers = field(default_factory=Parsers)
    once: ShownOnce = field(default_factory=ShownOnce)
    days: RunDays = field(default_factory=RunDays)
    rows: Rows = field(default_factory=Rows)
    streams: Streams = field(default_factory=Streams)
    drafts: Drafts = field(default_factory=lambda: Drafts(time.monotonic))
    challenges: Challenges = field(default_factory=Challenges)
    under_way: UnderWay = field(default_factory=lambda: UnderWay(time.monotonic))
    openid_providers: OpenIdProviders = field(default_factory=OpenIdProviders)
    languages: Sequence[Language] = field(default_factory=shipped_languages)
    clock: Callable[[], float] = time.time
    is_tls: bool = False

    def language(self, chosen: str, header: str) -> Language:
        """Return the language that was chosen, else the one that a browser wishes in ``Accept-Language``."""
        return next((one for one in self.languages if one.tag == chosen), None) or wanted(header, self.languages)

    @property
    def cookie(self) -> str:
        """The name of the cookie of a session; browsers keep the prefix of TLS to this very host."""
        return "__Host-mailferry" if self.is_tls else "mailferry_session"

    @property
    def openid_cookie(self) -> str:
        """The name of the cookie of a sign-in at the OpenID provider, while it goes on."""
        return "__Host-mailferry-openid" if self.is_tls else "mailferry_openid"

    def openid(self) -> OpenIdProvider | None:
        """Return the OpenID provider at which users may sign in, None where there is none or the extra is missing."""
        web = self.worker.config().web
        return self.openid_providers.of(web.oidc) if web and web.oidc and find_spec("joserfc") else None

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """Lend an opening of the ledger, so that a slow read delays nobody else."""
        with self.worker.ledger.lent() as own:
            yield own

    def accounts(self, user: User) -> Sequence[Account]:
        """Return the configured accounts that a user may see."""
        return [account for account in self.worker.config().accounts if user.sees(account.name)]

    def note(self, user: str, address: str, action: str, subject: str = "", outcome: str = "done") -> None:
        """Append to the audit what somebody did."""
        self.store.note(AuditEntry(self.clock(), user, address, action, subject, outcome))
