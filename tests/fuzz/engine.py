"""One target under atheris, in a process that never returns: ``python -m tests.fuzz.engine TARGET LIBFUZZER-OPTIONS…``."""

from __future__ import annotations

import sys

import atheris  # type: ignore[import-untyped]  # it ships no types


def main() -> None:
    with atheris.instrument_imports(include=["migrator"]):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
