"""Mail of many parts: bounces, forwards, signed and encrypted mail, and trees that parsers get lost in."""

from __future__ import annotations

from base64 import encodebytes
from collections.abc import Iterator
from random import Random

from migrator.demo.composing import Part, attachment, block, crlf, embedded, letter, multipart, text
from migrator.demo.oddities import Labelled, odd, usual

_TNEF = b"\x78\x9f\x3e\x22\x01\x00"


def structures(seed: int) -> Iterator[Labelled]:
    """Yield each of them once."""
    chance = Random(f"{seed}/structures")
    yield from _of_the_mail_system()
    yield from _sealed(chance)
    yield from _names(chance)
    yield from _trees()


def _of_the_mail_system() -> Iterator[Labelled]:
    original = odd(100, "Invitation", b"Lunch at noon?\r\n")
    report = Part(
        (("Content-Type", "message/delivery-status"),),
        b"Reporting-MTA: dns; mx.example.org\r\n\r\nFinal-Recipient: rfc822; grce@example.com\r\n"
        b"Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n",
    )
    words = text("Your letter could not be delivered to grce@example.com.\n", "us-ascii")
    whole = multipart("report", [words, report, embedded(original)], "=_bounce", "; report-type=delivery-status")
    yield "bounce", b"Return-Path: <>\r\n" + letter(usual(101, "Undelivered Mail Returned to Sender"), whole)
    seen = Part((("Content-Type", "message/disposition-notification"),), b"Disposition: manual-action; displayed\r\n")
    receipt = multipart("report", [words, seen], "=_seen", "; report-type=disposition-notification")
    yield "read receipt", letter(usual(102, "Read: Invitation"), receipt)
    away = text("I am at the lake until Monday. The plants know.\n")
    yield "out of office", letter([*usual(103, "Away"), ("Auto-Submitted", "auto-replied")], away)
    inner = letter(usual(104, "Recipe"), text("Flour, butter, apples.\n"))
    for depth in range(3):
        forwarded = multipart("mixed", [text("See below.\n"), embedded(inner)], f"=_forward_{depth}")
        inner = letter(usual(105 + depth, "Fwd: " * (depth + 1) + "Recipe"), forwarded)
    yield "forwarded three times", inner


def _sealed(chance: Random) -> Iterator[Labelled]:
    note = text("The contract is signed.\n", "us-ascii")
    seal = attachment("application/pkcs7-signature; name=smime.p7s", b"\x30\x82" + chance.randbytes(1800), "smime.p7s")
    smime = '; protocol="application/pkcs7-signature"; micalg=sha-256'
    yield "S/MIME signed", letter(usual(110, "Signed"), multipart("signed", [note, seal], "=_smime", smime))
    envelope = attachment("application/pkcs7-mime; smime-type=enveloped-data", chance.randbytes(2500), "smime.p7m")
    yield "S/MIME encrypted", letter(usual(111, "Sealed"), envelope)
    armor = _armored("SIGNATURE", chance)
    signature = Part((("Content-Type", "application/pgp-signature; name=signature.asc"),), armor)
    pgp = '; protocol="application/pgp-signature"; micalg=pgp-sha512'
    # RFC 3156 signs the bytes as they are: trailing spaces and a line that begins with From are part of it.
    signed = Part(note.headers, b"From the heart:  \r\n- -- \r\nGrace \r\n")
    yield "PGP/MIME signed", letter(usual(112, "Signed"), multipart("signed", [signed, signature], "=_pgp", pgp))
    version = Part((("Content-Type", "application/pgp-encrypted"),), b"Version: 1\r\n")
    secret = Part((("Content-Type", "application/octet-stream"),), _armored("MESSAGE", chance))
    parameters = '; protocol="application/pgp-encrypted"'
    sealed = multipart("encrypted", [version, secret], "=_pgp", parameters)
    yield "PGP/MIME encrypted", letter(usual(113, "Sealed"), sealed)
    begin = b"-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA512\r\n\r\n- - eggs\r\n- From the market\r\n"
    yield "PGP in the text", odd(114, "Shopping", begin + armor)


def _armored(kind: str, chance: Random) -> bytes:
    content = encodebytes(chance.randbytes(600)).decode()
    return crlf(f"-----BEGIN PGP {kind}-----\n\n{content}-----END PGP {kind}-----\n")


def _names(chance: Random) -> Iterator[Labelled]:
    names = {
        "a name in several pieces": "Protokoll der Sitzung über die Verschönerung des Innenhofs und der Flure.pdf",
        "a right-to-left name": "invoice\u202efdp.txt",
        "a Hebrew name": "סיכום הישיבה.pdf",
        "control characters in a name": "two\nlines\tand\x07bell.txt",
        "a path as a name": "../../etc/motd",
        "a long name": "a" * 300 + ".txt",
    }
    for place, (label, name) in enumerate(names.items(), 120):
        file = attachment("application/octet-stream", chance.randbytes(90), name)
        part = multipart("mixed", [text("The file is attached.\n"), file], f"=_name_{place}")
        yield label, letter(usual(place, "A file"), part)
    tnef = attachment("application/ms-tnef", _TNEF + chance.randbytes(400), "winmail.dat")
    yield "winmail.dat", letter(usual(127, "Calendar"), multipart("mixed", [text("\n"), tnef], "=_tnef"))
    uuencoded = b"begin 644 menu.txt\r\n#0V%T\r\n`\r\nend\r\n"
    yield "uuencoded in the text", odd(128, "Menu", b"Here it comes:\r\n" + uuencoded)


def _trees() -> Iterator[Labelled]:
    inner = text("Down here!\n")
    for depth in range(40):
        inner = multipart("mixed", [inner], f"=_level_{depth}")
    yield "40 levels deep", letter(usual(130, "Boxes in boxes"), inner)
    empty = multipart("mixed", [Part((), b"") for _ in range(200)], "=_empty")
    yield "200 empty parts", letter(usual(131, "Plates"), empty)
    whole = multipart("mixed", [text("one\n"), text("two\n")], "=_cut")
    cut = Part(whole.headers, whole.body.removesuffix(b"--=_cut--\r\n"))
    yield "the last boundary is missing", letter(usual(132, "Cut short"), cut)
    around = Part(whole.headers, b"A preamble.\r\n" + whole.body + b"--=_cut--\r\nAn epilogue\r\n--=_cut\r\n")
    yield "preamble, epilogue, two ends", letter(usual(133, "More than enough"), around)
    nobody = block([*usual(134, "No boundary"), ("Content-Type", "multipart/mixed")]) + b"\r\n--\r\n\r\n--\r\n"
    yield "multipart without a boundary", nobody
    inner = multipart("mixed", [text("one\n")], "=_box_inside")
    yield "a boundary that begins another", letter(usual(135, "Alike"), multipart("mixed", [inner, whole], "=_box"))
