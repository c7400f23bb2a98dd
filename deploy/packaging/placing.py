"""``python -m deploy.packaging.placing VENV PLACE``: let a virtual environment work at another place than its own.

A script names its interpreter by path, and pip keeps a hash of that: only ``mailferry`` stays, written here.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

SCRIPT = """\
#!{place}/bin/python3
import sys

from migrator.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
"""
UNWANTED = ("pip", "setuptools", "_distutils_hack", "pkg_resources")
"""What makes a virtual environment, and is used by nothing in it: a package of the system is not installed into."""


def place(venv: Path, at: str) -> None:
    """Make what is in ``venv`` right for ``at``, and equal whatever the path was that it was made at."""
    for path in (venv / "bin").iterdir():
        if not path.name.startswith("python"):
            path.unlink()
    script = venv / "bin" / "mailferry"
    script.write_text(SCRIPT.format(place=at))
    script.chmod(0o755)
    kept = [line for line in (venv / "pyvenv.cfg").read_text().splitlines() if not line.startswith("command ")]
    (venv / "pyvenv.cfg").write_text("\n".join(kept) + "\n")
    [packages] = venv.glob("lib/python3*/site-packages")
    for path in [found for name in UNWANTED for pattern in (name, f"{name}-*") for found in packages.glob(pattern)]:
        shutil.rmtree(path)
    (packages / "distutils-precedence.pth").unlink(missing_ok=True)
    for module in packages.rglob("*.py"):
        module.chmod(0o644)  # some come as programs
    for record in packages.glob("*.dist-info/RECORD"):
        lines = record.read_text().splitlines()
        record.write_text("".join(f"{line}\n" for line in lines if not line.startswith("../../../")))


if __name__ == "__main__":
    place(Path(sys.argv[1]), sys.argv[2])
