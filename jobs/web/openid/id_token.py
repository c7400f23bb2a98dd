"""What an ID token must be (OpenID Connect Core 1.0, section 3.1.3.7): who signed it, for whom, for which sign-in.

Signatures are verified by joserfc, imported at the place of use. Only algorithms with a public key are taken: neither
``none``, nor one whose secret the provider's public key could be mistaken for.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeGuard

from migrator.errors import DefectError, FerryError, Kind, contained, printable
from migrator.lazy_dataclasses import dataclass

if TYPE_CHECKING:
    from joserfc.jwk import Key

ALGORITHMS: Mapping[str, str] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "Ed25519": "OKP",
}
"""What an ID token may be signed with, and the type of key (RFC 7518, RFC 9864)."""
SKEW_SECONDS = 60.0
"""So far the provider's clock may be off."""
FEWEST_RSA_BITS = 2048
MOST_KEYS = 100
LONGEST_SUBJECT = 255
"""Characters of a subject, all of them ASCII (section 2)."""


@dataclass(frozen=True, slots=True)
class Proven:
    """Who has signed in at a provider. ``label`` is what the provider calls the account: to be shown, and no more.

    ``signed_in_at`` is when the provider let them in there, None where it does not say.
    """

    issuer: str
    subject: str
    label: str
    signed_in_at: float | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an ID token is judged by."""

    issuer: str
    client_id: str
    nonce: str


class UnknownKeyError(FerryError):
    """None of the provider's keys that are known here has signed it; it may have new ones."""


def _refused(reason: str) -> FerryError:
    return FerryError(Kind.AUTH, f"the provider's ID token is refused: {reason}")


def keys_in(document: Mapping[str, object]) -> list[Key]:
    """Return the keys of a JWK set (RFC 7517) that may sign an ID token; what is not understood is passed over."""
    from joserfc.jwk import JWKRegistry

    listed = document.get("keys")
    found: list[Key] = []
    for one in listed[:MOST_KEYS] if isinstance(listed, list) else []:
        if not isinstance(one, dict) or one.get("kty") not in ALGORITHMS.values() or one.get("use", "sig") != "sig":
            continue
        if one["kty"] == "RSA" and len(str(one.get("n", "")).lstrip("A")) * 6 < FEWEST_RSA_BITS:  # base64
            continue
        try:
            with contained():
                found.append(JWKRegistry.import_key(one))
        except DefectError:  # a key of a kind that is yet to be invented
            continue
    return found


def proven_by(token: str, keys: Sequence[Key], wanted: Wanted, now: float) -> Proven:
    """Return who has signed in, by an ID token that one of these keys has signed.

    Raises ``UnknownKeyError`` where none has, and ``FerryError`` for a token that is not ours to take.
    """
    claims = _verified(token, keys)
    if problem := problem_of(claims, wanted, now):
        raise _refused(problem)
    moment = claims.get("auth_time")
    names = (claims.get(name) for name in ("preferred_username", "email", "name"))
    label = next((name for name in names if isinstance(name, str) and name), str(claims["sub"]))
    return Proven(
        wanted.issuer,
        str(claims["sub"]),
        printable(label.encode(errors="replace"), limit=100),
        moment if _is_number(moment) else None,
    )


def _verified(token: str, keys: Sequence[Key]) -> Mapping[str, object]:
    from joserfc.errors import BadSignatureError
    from joserfc.jws import JWSRegistry, extract_compact
    from joserfc.jwt import decode

    try:
        with contained():
            header = extract_compact(token.encode()).headers()
    except DefectError:
        raise _refused("it cannot be read") from None
    algorithm, name = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise _refused("it is not signed by an algorithm with a public key")
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    for key in keys:
        if key.key_type != ALGORITHMS[algorithm] or (name is not None and key.kid not in {None, name}):
            continue
        try:
            with contained():
                return decode(token, key, algorithms=[algorithm], registry=registry).claims
        except DefectError as error:
            if not isinstance(error.__cause__, BadSignatureError):
                raise _refused(f"it cannot be read ({type(error.__cause__).__name__})") from None
    raise UnknownKeyError(Kind.AUTH, "the provider's ID token is refused: none of its keys has signed it")


def problem_of(claims: Mapping[str, object], wanted: Wanted, now: float) -> str:
    """Say what is wrong with the claims of a token whose signature is right; empty where nothing is."""
    audience = claims.get("aud")
    names = [audience] if isinstance(audience, str) else audience
    nonce, subject = claims.get("nonce"), claims.get("sub")
    if claims.get("iss") != wanted.issuer:
        return "another issuer has made it"
    if not isinstance(names, list) or wanted.client_id not in names:
        return "it is for another client"
    # Section 3.1.3.7, 4 and 5.
    if ("azp" in claims or len(names) > 1) and claims.get("azp") != wanted.client_id:
        return "it was given to another client"
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(errors="replace"), wanted.nonce.encode()):
        return "it belongs to another sign-in"
    if not isinstance(subject, str) or not (subject.isascii() and subject.isprintable()) or not _is_short(subject):
        return "it names nobody"
    return _problem_of_moments(claims, now)


def _is_short(subject: str) -> bool:
    return 0 < len(subject) <= LONGEST_SUBJECT


def _problem_of_moments(claims: Mapping[str, object], now: float) -> str:
    until, made = claims.get("exp"), claims.get("iat")
    begins = claims.get("nbf", made)
    if not (_is_number(until) and _is_number(made) and _is_number(begins)):
        return "it does not say when it was made and how long it is good"
    if now >= until + SKEW_SECONDS:
        return "its time is over, or a clock is wrong"
    return "it is from the future, or a clock is wrong" if max(made, begins) > now + SKEW_SECONDS else ""


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
