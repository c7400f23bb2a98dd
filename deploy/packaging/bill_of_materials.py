"""The bill of materials (CycloneDX): every Python package that the Debian package and the image hold, with its licence.

Taken from an environment that was installed from the lock, by the tool that CycloneDX itself keeps.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.packaging.python_dist import LOCK, TOOLS
from deploy.packaging.source import Source


def write(source: Source, wheels: Path, into: Path) -> Path:
    """Write ``mailferry-VERSION.cdx.json``; two of one commit and one machine are equal to the byte."""
    path = into / f"mailferry-{source.version}.cdx.json"
    with tempfile.TemporaryDirectory(prefix="mailferry-bill-") as work:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", work], check=True)
        python = Path(work) / "bin/python"
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-compile"]
        pip += ["--find-links", str(wheels), "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "--requirement", str(source.folder / LOCK)], check=True)
        subprocess.run([*pip, "--no-deps", f"mailferry=={source.version}"], check=True)
        words = [
            str(TOOLS / "bin/python"),
            "-m",
            "cyclonedx_py",
            "environment",
            "--output-reproducible",
            "--of",
            "JSON",
        ]
        project = Path(work) / "pyproject.toml"
        project.write_text(pyproject(source), encoding="utf-8")
        words += ["--pyproject", str(project), "--mc-type", "application", "--output-file", str(path)]
        subprocess.run([*words, str(python)], env={**os.environ, **source.environment}, check=True, stdout=sys.stderr)
    return path


def pyproject(source: Source) -> str:
    """Return what the project says of itself, its version included, which is otherwise asked of the program."""
    text = (source.folder / "pyproject.toml").read_text()
    if (dynamic := 'dynamic = ["version"]\n') not in text:
        raise SystemExit(f"pyproject.toml no longer says {dynamic!r}")
    return text.replace(dynamic, f'version = "{source.version}"\n')
