"""What to do about a refused log-in, by all that the connection knew: host, mechanisms offered, encryption. Pure."""

from __future__ import annotations

from collections.abc import Collection

from migrator.errors import Correction
from migrator.lazy_dataclasses import dataclass
from migrator.net.app_passwords import password_advice
from migrator.net.refusal_words import Cause
from migrator.net.sasl import REVEALING, SAFE_IN_CLEAR, TOKENS
from migrator.pop3.refusals import MEANINGS

_USUAL = MEANINGS[Cause.PASSWORD].cure
_ENOUGH = frozenset(MEANINGS[cause].cure for cause in (Cause.WEB_LOGIN, Cause.SERVICE_OFF, Cause.BLOCKED))
"""What needs no more advice than the provider's."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a log-in was tried with."""

    host: str
    offered: frozenset[str]
    """Mechanisms by their configuration names, ``user`` and ``apop`` among them."""
    may_reveal: bool
    is_encrypted: bool
    has_starttls: bool
    """Whether the server offers STLS."""


def cure_of(cure: str, finding: str, tried: Collection[str], seen: Circumstances) -> str:
    """Return the cure of a refused log-in; ``cure`` is what the words of the refusal alone suggest."""
    if finding == "wrong-tls":
        return 'the connection is encrypted: set auth = "scram-sha-256" or "cram-md5"' if seen.is_encrypted else cure
    if tried and all(mechanism in TOKENS for mechanism in tried):
        return "the token may be old, or made for another user or service: give a fresh one"
    parts = [_another_mechanism(tried, seen) if cure == MEANINGS[Cause.MECHANISM].cure else cure]
    if cure in _ENOUGH:
        return "; ".join(filter(None, [cure, password_advice(seen.host)]))
    if provider := password_advice(seen.host):
        parts = [] if cure == _USUAL else parts
        parts.append(provider)
    elif tokens := sorted(seen.offered.intersection(TOKENS)):
        parts.append(f"the server also offers {' and '.join(tokens)}; many such providers take no passwords any more")
    if seen.has_starttls and not seen.is_encrypted:
        parts.append('the server offers STLS and may want it: set tls = "starttls"')
    if other := _another_way(tried, seen):
        parts.append(other)
    return "; ".join(part for part in parts if part)


def settings_of(cure: str, finding: str, tried: Collection[str], seen: Circumstances) -> tuple[Correction, ...]:
    """Return the settings that cure a refused log-in, where the words of the refusal leave no doubt.

    ``cure`` is what these words alone suggest, as for ``cure_of``.
    """
    if finding == "wrong-tls":
        if seen.is_encrypted:
            left = [name for name in SAFE_IN_CLEAR if name in seen.offered and name not in tried]
            return (Correction("auth", left[0]),) if left else ()
        return (Correction("tls", "starttls"),) if seen.has_starttls else ()
    other = _left(tried, seen) if cure == MEANINGS[Cause.MECHANISM].cure else []
    return (Correction("auth", other[0]),) if other else ()


def _another_mechanism(tried: Collection[str], seen: Circumstances) -> str:
    """Name what the server offers and was not tried, strongest first, USER and PASS where it is nothing."""
    left = _left(tried, seen)
    return f'set auth = "{left[0]}"' if left else ""


def _left(tried: Collection[str], seen: Circumstances) -> list[str]:
    known = (*SAFE_IN_CLEAR, *(REVEALING if seen.may_reveal else ()))
    left = [name for name in known if name in seen.offered and name not in tried]
    return left or (["user"] if seen.may_reveal and "user" not in tried else [])


def _another_way(tried: Collection[str], seen: Circumstances) -> str:
    """Name what was not tried: where passwords are kept hashed, no challenge can succeed."""
    if any(mechanism in REVEALING for mechanism in tried) or not any(name in SAFE_IN_CLEAR for name in tried):
        return ""
    plain = next((name for name in REVEALING if name in seen.offered), "user")
    allow = "" if seen.may_reveal else ', with tls = "starttls" or "implicit"'
    return f'a server that keeps passwords hashed accepts no {" or ".join(tried)}: try auth = "{plain}"{allow}'
