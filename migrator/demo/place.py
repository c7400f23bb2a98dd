"""The demo's folder: an archive, the ledger's folder and a configuration, which the real code then reads.

The demo writes these three and nothing else, deletes nothing, and touches none of them where they are not its own.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from hashlib import sha256
from pathlib import Path

from migrator.destinations.mbox import mboxrd
from migrator.errors import ConfigError
from migrator.lazy_dataclasses import dataclass

MARK = "# Written by `mailferry demo`."
ACCOUNT = "office"

_CONFIG = """\
{mark} Its mail server ends with it, and its account is paused then; the archive and these
# commands stay: status, verify, search, show, export.

state_dir = "state"                # the ledger: what is where, and what was deleted when

[[accounts]]
name = "{account}"

[accounts.source]
host = "127.0.0.1"
port = {port}
tls = "none"                       # allowed because it is this machine; the default is "implicit"
username = "{account}"
password = "{password}"      # better: {{ command = "pass show mail/office" }}
leave_on_server = false            # delete what is proven; the default is true

[[accounts.destinations]]
type = "mbox"
path = "archive"
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a demo works."""

    folder: Path

    @classmethod
    def at(cls, folder: Path | None) -> Place:
        """Return a folder to work in, made if need be; without a name a new one for temporary files.

        Raises ``ConfigError`` where the folder cannot be used, or holds something of these names that no demo wrote.
        """
        try:
            if folder is None:
                return cls(Path(tempfile.mkdtemp(prefix="mailferry-demo-")))
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            place = cls(folder)
            place._refuse_what_is_not_ours()
        except OSError as error:
            raise ConfigError([f"--dir {folder or tempfile.gettempdir()}: cannot be used: {error.strerror}"]) from error
        return place

    @property
    def archive(self) -> Path:
        """The folder that the mail goes to."""
        return self.folder / "archive"

    @property
    def config(self) -> Path:
        """The configuration, a file of its own."""
        return self.folder / "config.toml"

    def volumes(self) -> list[Path]:
        """Return the files of the archive, in the order of their names."""
        return sorted(self.archive.glob("*.mbox"))

    def stored(self) -> Counter[bytes]:
        """Count what stands in the archive, by SHA-256 of its canonical form; read from the files alone."""
        return Counter(digest for volume in self.volumes() for digest in _digests(volume.read_bytes()))

    def write_config(self, port: int, password: str) -> None:
        """Write the configuration of the one account (0600), in place of that of an earlier demo."""
        written = _CONFIG.format(mark=MARK, account=ACCOUNT, port=port, password=password)
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=".config-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(written)
        Path(name).replace(self.config)

    def _refuse_what_is_not_ours(self) -> None:
        if self.config.exists() and self.config.read_text("utf-8", errors="replace").startswith(MARK):
            return
        ours = (self.config, self.archive, self.folder / "state")
        if strange := [path.name for path in ours if path.exists()]:
            names = " and ".join(strange)
            raise ConfigError([f"--dir {self.folder}: holds {names} already, and not of a demo; name another folder"])


def _digests(volume: bytes) -> list[bytes]:
    """Return the digest of each message of an mboxrd volume (without From_ line, closing blank line and quoting)."""
    digests = []
    for span in mboxrd.scan(mboxrd.reader_of(volume), 0, len(volume)):
        record = volume[span.offset : span.end]
        digests.append(sha256(mboxrd.decode(record[record.find(b"\n") + 1 : -1])).digest())
    return digests
