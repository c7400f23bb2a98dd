"""The program on every later Python that this machine has: installed with its locked packages, demo and one migration."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
LATER = ("3.12", "3.13", "3.14")


def interpreters() -> dict[str, Path]:
    """One of each version that is there; what is no interpreter but a signpost to one is passed over."""
    found: dict[str, Path] = {}
    for version in LATER:
        candidates = [*Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
        if on_path := shutil.which(f"python{version}"):
            candidates.append(Path(on_path))
        for candidate in candidates:
            said = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False).stdout
            if re.match(rf"Python {re.escape(version)}\.", said):
                found.setdefault(version, candidate)
    return found


@pytest.mark.slow
def test_it_runs_on_each_later_python_that_is_here(tmp_path: Path) -> None:
    for version, interpreter in interpreters().items():
        folder = tmp_path / version
        subprocess.run([interpreter, "-m", "venv", folder / "venv"], check=True)
        python = folder / "venv" / "bin" / "python"
        install: list[Path | str] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--require-hashes", "-r", TOP / "requirements.txt"], check=True)
        subprocess.run([*install, "--no-deps", TOP], check=True)
        program = folder / "venv" / "bin" / "mailferry"
        subprocess.run([program, "demo", "--dir", folder / "demo"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(
            [python, TOP / "tests/packages/migrate_once.py", folder / "once", program], check=True, cwd=folder
        )
