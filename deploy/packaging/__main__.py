"""``python -m deploy.packaging dist|deb|release``: builds what is given away, into ``dist/``."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from deploy.packaging import debian, python_dist, release
from deploy.packaging.source import TOP, exported

WHEELS = TOP / "build" / "wheels"


def main() -> None:
    """Build what is asked for from the commit that is checked out."""
    asked = argparse.ArgumentParser(prog="python -m deploy.packaging", description=__doc__)
    asked.add_argument("what", choices=("dist", "deb", "release"))
    asked.add_argument("--into", type=Path, default=TOP / "dist", metavar="FOLDER")
    asked.add_argument("--version", help="another version for the Debian package (the tests upgrade from a lower one)")
    said = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="mailferry-build-") as work:
        source = exported(Path(work) / "source")
        if said.what == "release":
            release.build(source, WHEELS, said.into)
            return
        made = python_dist.build(source, said.into)
        if said.what == "dist":
            python_dist.check(made)
            python_dist.gather_wheels(source, said.into / "wheels")
            python_dist.gather_builder(source, said.into / "wheels")
        else:
            python_dist.gather_wheels(source, WHEELS)
            with_ours = Path(work) / "wheels"
            release.gather(WHEELS, made, with_ours)
            made = [debian.build(source, with_ours, said.into, version=said.version)]
        for path in made:
            print(path)  # noqa: T201  # whoever called wants to know


if __name__ == "__main__":
    main()
