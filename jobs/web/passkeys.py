"""Passkeys (W3C Web Authentication), by the library webauthn, which is the extra ``mailferry[passkeys]``.

A passkey is found by the authenticator itself (a discoverable credential), which has to recognise its user by PIN or
body: it stands for password and second factor. It belongs to the name under which the page was opened; an address is no
name (section 5.1.2 takes domains only). webauthn is imported at the place of use: it takes a sixth of a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from ipaddress import ip_address

from jobs.web.passkey_store import Passkey
from jobs.web.people import User
from migrator.errors import DefectError, contained
from migrator.lazy_dataclasses import dataclass, field

PAGE_NAME = "mailferry"
LOCAL = "localhost"
TIMEOUT_MS = 120_000
"""How long a browser waits for its user."""


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """What an authenticator has made."""

    credential: bytes
    public_key: bytes = field(repr=False)
    sign_count: int


@dataclass(frozen=True, slots=True)
class Signature:
    """What an authenticator says at a sign-in, of which nothing is verified yet."""

    credential: bytes
    handle: bytes
    challenge: bytes
    written: str = field(repr=False)


def is_installed() -> bool:
    """Say whether the extra is there."""
    return find_spec("webauthn") is not None


def is_name(host: str) -> bool:
    """Say whether passkeys can belong to a page of this name: it is no address."""
    try:
        ip_address(host)
    except ValueError:
        return bool(host)
    return False


def _origins(host: str, netloc: str) -> list[str]:
    """Return the origins that a browser may say: https, or without TLS on this machine alone."""
    is_local = host == LOCAL or host.endswith(f".{LOCAL}")
    return [f"https://{netloc}", *([f"http://{netloc}"] if is_local else [])]


def making(host: str, user: User, handle: bytes, known: Sequence[Passkey], challenge: bytes) -> str:
    """Return what the browser is asked for a new passkey, as JSON; none is made where one of ``known`` is."""
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        PublicKeyCredentialDescriptor,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    options = generate_registration_options(
        rp_id=host,
        rp_name=PAGE_NAME,
        user_id=handle,
        user_name=user.name,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one.credential) for one in known],
    )
    return options_to_json(options)


def asking(host: str, challenge: bytes) -> str:
    """Return what the browser is asked at a sign-in, as JSON: any passkey of this page."""
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import UserVerificationRequirement

    options = generate_authentication_options(
        rp_id=host, challenge=challenge, timeout=TIMEOUT_MS, user_verification=UserVerificationRequirement.REQUIRED
    )
    return options_to_json(options)


def challenge_of_new(answer: str) -> bytes:
    """Return the challenge that a new passkey answers; empty for what is no answer."""
    from webauthn.helpers import parse_client_data_json, parse_registration_credential_json

    try:
        with contained():
            parsed = parse_registration_credential_json(answer)
            return parse_client_data_json(parsed.response.client_data_json).challenge
    except DefectError:  # whatever a stranger's program sends
        return b""


def made(answer: str, host: str, netloc: str, challenge: bytes) -> NewPasskey | None:
    """Return the passkey that was made for this page, None where anything about it is not right."""
    from webauthn import verify_registration_response

    try:
        with contained():
            verified = verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=host,
                expected_origin=_origins(host, netloc),
                require_user_verification=True,
            )
    except DefectError:  # whatever a stranger's program sends
        return None
    return NewPasskey(verified.credential_id, verified.credential_public_key, verified.sign_count)


def signature_in(answer: str) -> Signature | None:
    """Return what an answer says at a sign-in, None for what is no answer."""
    from webauthn.helpers import parse_authentication_credential_json, parse_client_data_json

    try:
        with contained():
            parsed = parse_authentication_credential_json(answer)
            challenge = parse_client_data_json(parsed.response.client_data_json).challenge
            return Signature(parsed.raw_id, parsed.response.user_handle or b"", challenge, answer)
    except DefectError:  # whatever a stranger's program sends
        return None


def new_count(signature: Signature, passkey: Passkey, host: str, netloc: str) -> int | None:
    """Return the authenticator's new count where the passkey has signed for this page, and its user was recognised.

    None where anything about it is not right: challenge, origin, name of the page, signature, or a count that has not
    grown, which may be a copy of the passkey.
    """
    from webauthn import verify_authentication_response

    try:
        with contained():
            verified = verify_authentication_response(
                credential=signature.written,
                expected_challenge=signature.challenge,
                expected_rp_id=host,
                expected_origin=_origins(host, netloc),
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=True,
            )
    except DefectError:  # as above
        return None
    return verified.new_sign_count
