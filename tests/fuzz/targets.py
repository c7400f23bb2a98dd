"""Every parser by name: a function of bytes that raises only where something is wrong with the parser."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.fuzz import imap, importing, pop3, storage, words

TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "pop3-replies": pop3.replies,
    "pop3-protocol": pop3.protocol,
    "pop3-dots": pop3.dots,
    "pop3-listing": pop3.listing,
    "pop3-session": pop3.session,
    "sasl": words.challenges,
    "mboxrd-quoting": storage.quoting,
    "mboxrd-scanning": storage.scanning,
    "canonical-form": storage.canonical_form,
    "header": storage.header,
    "proof": storage.proving,
    "import-forms": importing.forms,
    "import-mbox": importing.mbox,
    "import-mmdf": importing.mmdf,
    "import-babyl": importing.babyl,
    "import-apple": importing.apple,
    "import-maildir": importing.maildir,
    "import-packed": importing.packed,
    "imap-replies": imap.replies,
    "imap-fetching": imap.fetching,
    "mail": words.mail,
    "autoconfig": words.autoconfig,
    "query": words.queries,
    "config-values": words.configured,
    "config-urls": words.urls,
    "config-files": words.files,
}

CORPUS = Path(__file__).parent / "corpus"


def corpus_of(target: str) -> list[bytes]:
    """Return the seeds of a target: what it should understand, and what it once did not."""
    return [path.read_bytes() for path in sorted((CORPUS / target).iterdir())]
