"""Which ID tokens are taken: signed by a key of the provider, for us, for this sign-in, now."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from jobs.web.openid.id_token import LONGEST_SUBJECT, SKEW_SECONDS, Proven, UnknownKeyError, Wanted, keys_in, proven_by
from migrator.errors import FerryError
from tests.servers.openid_provider import ec_key, encoded, rsa_key

NOW = 1_800_000_000.0
WANTED = Wanted("https://id.example.org", "the page", "the nonce")
CLAIMS: dict[str, object] = {
    "iss": WANTED.issuer,
    "sub": "248289761001",
    "aud": WANTED.client_id,
    "nonce": WANTED.nonce,
    "iat": NOW - 5,
    "exp": NOW + 300,
    "preferred_username": "ann",
}
KEY = ec_key("first")


def token(algorithm: str = "ES256", key: Any = KEY, header: dict[str, object] | None = None, **claims: Any) -> str:
    said = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    return jwt.encode({"alg": algorithm, "kid": key.kid, **(header or {})}, said, key, [algorithm])


def judged(written: str, *keys: Any, now: float = NOW) -> Proven:
    return proven_by(written, keys_in({"keys": [key.as_dict(private=False) for key in keys or (KEY,)]}), WANTED, now)


def test_the_right_one_says_who_it_is() -> None:
    assert judged(token(auth_time=NOW - 60)) == Proven(WANTED.issuer, "248289761001", "ann", NOW - 60)
    assert judged(token(preferred_username=None)).label == "248289761001"
    assert judged(token()).signed_in_at is None


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", rsa_key()),
        ("PS512", rsa_key()),
        ("ES256", KEY),
        ("ES384", ECKey.generate_key("P-384", {"kid": "p"})),
        ("Ed25519", OKPKey.generate_key("Ed25519", {"kid": "o"})),
    ],
)
def test_algorithms_with_a_public_key_are_taken(algorithm: str, key: Any) -> None:
    assert judged(token(algorithm, key), key).subject == "248289761001"


def unsigned(header: dict[str, object], signature: bytes = b"") -> str:
    parts = [encoded(json.dumps(part).encode()) for part in (header, CLAIMS)]
    return ".".join([*parts, encoded(signature)])


def signed_with_what_is_public(secret: Callable[[RSAKey], bytes]) -> str:
    """The classic: HMAC with the provider's public key as its secret."""
    said = unsigned({"alg": "HS256", "kid": rsa_key().kid}).rpartition(".")[0]
    return f"{said}.{encoded(hmac.new(secret(rsa_key()), said.encode(), hashlib.sha256).digest())}"


FORGED: dict[str, Callable[[], str]] = {
    "none": lambda: unsigned({"alg": "none", "kid": rsa_key().kid}),
    "None": lambda: unsigned({"alg": "None", "kid": rsa_key().kid}),
    "no algorithm": lambda: unsigned({"kid": rsa_key().kid}, b"x"),
    "an algorithm that is no text": lambda: unsigned({"alg": ["RS256"], "kid": rsa_key().kid}, b"x"),
    "HMAC with the PEM": lambda: signed_with_what_is_public(lambda key: key.as_pem(private=False)),
    "HMAC with the DER": lambda: signed_with_what_is_public(lambda key: key.as_der(private=False)),
    "HMAC with the JWK": lambda: signed_with_what_is_public(
        lambda key: json.dumps(key.as_dict(private=False)).encode()
    ),
    "HMAC with the client's secret": lambda: signed_with_what_is_public(lambda _key: b"the client's secret"),
    "an unknown extension": lambda: unsigned({"alg": "RS256", "crit": ["exp"], "exp": 1, "kid": rsa_key().kid}, b"x"),
    "encrypted": lambda: ".".join([encoded(b'{"alg":"RSA-OAEP","enc":"A256GCM"}'), "a", "b", "c", "d"]),
    "nothing": lambda: "",
    "two parts": lambda: "a.b",
    "no JSON": lambda: "!!.!!.!!",
    "not ASCII": lambda: "ä.ö.ü",
    "long": lambda: "a" * 900_000,
}


@pytest.mark.parametrize("name", FORGED)
def test_what_is_not_signed_by_the_provider_is_refused(name: str) -> None:
    with pytest.raises(FerryError, match="refused"):
        judged(FORGED[name](), rsa_key())


def test_a_signature_by_another_key_or_of_another_text_is_refused() -> None:
    for written in (token(key=ec_key("first")), token(key=ec_key("other"))):
        with pytest.raises(UnknownKeyError):
            judged(written)
    header, claims, signature = token().split(".")
    changed = json.loads(base64.urlsafe_b64decode(claims + "=="))
    written = ".".join([header, encoded(json.dumps({**changed, "sub": "1"}).encode()), signature])
    with pytest.raises(UnknownKeyError):
        judged(written)


def test_a_key_that_the_token_brings_along_is_not_believed() -> None:
    own = ec_key("first")
    with pytest.raises(UnknownKeyError):
        judged(token(key=own, header={"jwk": own.as_dict(private=False), "jku": "https://evil.test/keys"}))


WRONG: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.test"},
    "an issuer with a slash": {"iss": f"{WANTED.issuer}/"},
    "no issuer": {"iss": None},
    "another client": {"aud": "another"},
    "other clients": {"aud": ["one", "another"]},
    "no client": {"aud": None},
    "a client that is no text": {"aud": 7},
    "several clients and nobody named": {"aud": ["the page", "another"]},
    "several clients and another named": {"aud": ["the page", "another"], "azp": "another"},
    "given to another": {"azp": "another"},
    "another nonce": {"nonce": "of yesterday"},
    "no nonce": {"nonce": None},
    "a nonce that is no text": {"nonce": 7},
    "nobody": {"sub": None},
    "an empty name": {"sub": ""},
    "a number": {"sub": 7},
    "a long name": {"sub": "a" * (LONGEST_SUBJECT + 1)},
    "a name that is not ASCII": {"sub": "änn"},
    "a name of two lines": {"sub": "a\nb"},
    "over": {"exp": NOW - SKEW_SECONDS},
    "without end": {"exp": None},
    "an end that is no number": {"exp": "tomorrow"},
    "an end that is true": {"exp": True},
    "an infinite end": {"exp": float("inf")},
    "no beginning": {"iat": None},
    "from the future": {"iat": NOW + SKEW_SECONDS + 1},
    "not yet": {"nbf": NOW + SKEW_SECONDS + 1},
    "a beginning that is no number": {"nbf": "now"},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_token_is_refused_for(name: str) -> None:
    with pytest.raises(FerryError, match="refused"):
        judged(token(**WRONG[name]))


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW - SKEW_SECONDS + 1},
        {"iat": NOW + SKEW_SECONDS},
        {"nbf": NOW + SKEW_SECONDS},
        {"aud": ["the page"]},
        {"aud": ["the page", "another"], "azp": "the page"},
        {"sub": "a" * LONGEST_SUBJECT},
    ],
)
def test_a_clock_may_be_off_by_a_minute_and_a_token_be_for_others_too(claims: dict[str, Any]) -> None:
    assert judged(token(**claims)).issuer == WANTED.issuer


def test_without_a_name_of_the_key_each_that_fits_is_tried() -> None:
    written = jwt.encode({"alg": "ES256"}, dict(CLAIMS), KEY, ["ES256"])
    assert judged(written, rsa_key(), ec_key("other"), KEY).subject == "248289761001"


def test_keys_for_other_purposes_weak_ones_and_what_is_none_are_passed_over() -> None:
    numbers = rsa.generate_private_key(65537, 1024).public_key().public_numbers()  # noqa: S505  # weak on purpose
    weak = {"kty": "RSA", "n": encoded(numbers.n.to_bytes(128, "big")), "e": "AQAB", "kid": "weak"}
    good = KEY.as_dict(private=False)
    odd: list[object] = [None, 7, {}, {"kty": "oct", "k": "AAAA"}, {"kty": "RSA"}, {"kty": "EC", "crv": "P-0"}]
    found = keys_in({"keys": [*odd, weak, {**good, "use": "enc"}, good]})
    assert [key.kid for key in found] == ["first"]
    assert keys_in({}) == []
    assert keys_in({"keys": "none"}) == []


def test_what_the_provider_calls_the_account_is_made_harmless() -> None:
    assert judged(token(preferred_username="ann\u202e\x1b[2J" + "x" * 500)).label.isprintable()
