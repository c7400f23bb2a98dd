"""SCRAM as the library scramp does it: both sides of it are asked beside ours."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given, strategies as st
from scramp import ScramClient as Theirs, ScramException, ScramMechanism
from scramp.utils import saslprep

from migrator.net.scram import MOST_ITERATIONS, ScramClient, prepared

NONCE = "rOprNGfwEbeRWgbNEkqO"
SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="
FIRST = f"r={NONCE}server,s={SALT},i=4096"
WORDS = [
    "user",
    "o=l,d",
    "ann@example.org",
    "pass word",
    "I\u00adX",
    "\u00aa",
    "\u2168",
    "été",
    "密码",
    "Пароль",
    "שלום",
]


def ours(name: str = "user", password: str = "pencil", digest: str = "sha256") -> ScramClient:
    return ScramClient(digest, name, password, NONCE)


def theirs(name: str = "user", password: str = "pencil", mechanism: str = "SCRAM-SHA-256") -> Any:
    return Theirs([mechanism], name, password, c_nonce=NONCE)


@pytest.mark.parametrize(("mechanism", "digest"), [("SCRAM-SHA-1", "sha1"), ("SCRAM-SHA-256", "sha256")])
@pytest.mark.parametrize("name", WORDS)
def test_every_message_is_the_librarys_and_its_server_takes_it(name: str, mechanism: str, digest: str) -> None:
    password = name[::-1]
    client, known = ours(name, password, digest), theirs(name, password, mechanism)
    kind = ScramMechanism(mechanism)
    server = kind.make_server({prepared(name): kind.make_auth_info(password)}.get)
    assert client.first == known.get_client_first()
    server.set_client_first(client.first)
    server_first = server.get_server_first()
    known.set_server_first(server_first)
    assert client.final(server_first) == known.get_client_final()
    server.set_client_final(client.final(server_first))
    client.check(server.get_server_final())


BAD_FIRST = {
    "nothing": "",
    "no attributes": "nonsense",
    "an error": "e=other-error",
    "another nonce": f"r=other{NONCE},s={SALT},i=4096",
    "our nonce and no more": f"r={NONCE},s={SALT},i=4096",
    "a nonce that cannot be printed": f"r={NONCE}\x7f,s={SALT},i=4096",
    "a nonce that is not ASCII": f"r={NONCE}é,s={SALT},i=4096",
    "no salt": f"r={NONCE}server,i=4096",
    "an empty salt": f"r={NONCE}server,s=,i=4096",
    "a short salt": f"r={NONCE}server,s={b64encode(b'12345678901').decode()},i=4096",
    "a salt that is not Base64": f"r={NONCE}server,s=!!!!,i=4096",
    "another order": f"s={SALT},r={NONCE}server,i=4096",
    "an attribute twice": f"{FIRST},i=4096",
    "an extension that must be understood": f"m=x,{FIRST}",
    "the same at the end": f"{FIRST},m=x",
    "an attribute that is not asked for": f"{FIRST},v=x",
    "an attribute of two letters": f"{FIRST},xx=y",
    "an attribute that is a digit": f"{FIRST},1=y",
    "an attribute that is not ASCII": f"{FIRST},é=y",
    "a zero octet": f"{FIRST},x=\0",
    "few iterations": FIRST.replace("4096", "4095"),
    "too many": FIRST.replace("4096", str(MOST_ITERATIONS + 1)),
    "far too many": FIRST.replace("4096", "9" * 5000),
    "negative ones": FIRST.replace("4096", "-4096"),
    "a leading zero": FIRST.replace("4096", "04096"),
    "digits of another script": FIRST.replace("4096", "٤٠٩٦"),
}


@pytest.mark.parametrize("what", BAD_FIRST)
def test_a_wrong_first_message_is_refused_as_the_library_does(what: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the words are for a traceback
        ours().final(BAD_FIRST[what])
    known = theirs()
    known.get_client_first()
    with pytest.raises((ScramException, ValueError)):
        known.set_server_first(BAD_FIRST[what])


def test_an_extension_that_nobody_needs_is_passed_over() -> None:
    known = theirs()
    known.get_client_first()
    known.set_server_first(f"{FIRST},x=y")
    assert ours().final(f"{FIRST},x=y") == known.get_client_final()


@pytest.mark.parametrize("final", ["", "v=", "e=unknown-user", "v=AAAA", "nonsense", "v=!", "x=y,v=AAAA", f"r={NONCE}"])
def test_a_server_that_does_not_prove_itself_is_refused(final: str) -> None:
    client = ours()
    client.final(FIRST)
    with pytest.raises(ValueError):  # noqa: PT011  # as above
        client.check(final)


def test_nothing_is_proven_before_we_have_answered() -> None:
    with pytest.raises(ValueError, match="does not know"):
        ours().check("v=AAAA")


def test_a_log_in_needs_a_name() -> None:
    with pytest.raises(ValueError, match="no username"):
        ours("\u00ad")


def by_library(text: str) -> str | None:
    try:
        return str(saslprep(text))
    except ScramException:
        return None


def by_us(text: str) -> str | None:
    try:
        return prepared(text)
    except ValueError:
        return None


@given(
    st.text(max_size=8)
    | st.text(st.sampled_from("a1 \u00a0\u00ad\u0627\u0628\u05d0\u2168\ufb01\x07\x7f\u0221é"), max_size=5)
)
def test_names_and_passwords_are_prepared_as_the_library_does(text: str) -> None:
    assert by_us(text) == by_library(text)
