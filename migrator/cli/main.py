"""The command line: parse, call, and turn whatever happens into an exit code and a line that a person understands.

Only the grammar is imported before it has been read, so that ``--help`` and ``--version`` answer at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from migrator.cli.parser import read_line
from migrator.cli.usage import UsageError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable
    from types import FrameType
    from typing import TextIO

    from migrator.ui.console import Console

    Command = Callable[[Namespace, Console], int]


OLDEST = (3, 11)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (``migrator.cli.exit_codes``). No traceback reaches a user."""
    import os
    import signal

    if said := unsupported(os.name, sys.version_info[:2]):
        print(f"mailferry: {said}", file=sys.stderr)  # noqa: T201  # there is no screen yet
        return 2
    # A plug-in of pydantic's would be shown our passwords; and looking for one among all that is installed takes time.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    os.umask(0o077)  # whatever it was: every file is 0600 and every folder 0700, those that libraries make included
    signal.signal(signal.SIGTERM, _interrupt)
    _survive_any_streams()
    try:
        return _main(_arguments(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:  # before there was a screen to say so
        return 130


def unsupported(system: str, python: tuple[int, int] = OLDEST) -> str | None:
    """Say why nothing can be promised on a system, by Python's name for its kind, with a Python; None where it can.

    Locks that die with their process, folders that can be synced, and limits for a child that reads hostile mail are
    POSIX; without them the promises would be empty, so nothing is begun.
    """
    if python < OLDEST:
        return f"it needs Python 3.11 or newer, and this is {python[0]}.{python[1]}"
    if system == "posix":
        return None
    return (
        "it keeps its promises by what POSIX systems have (kernel locks, synced folders), which this one lacks; "
        "on Windows it runs in WSL 2: wsl --install"
    )


def _arguments(given: Sequence[str]) -> Namespace:
    """Read the command line; ends the program where it is wrong, or asked for help, the version or a completion."""
    try:
        try:
            return read_line(given)
        except UsageError as error:
            error.show(given)
            raise
        except SystemExit:
            sys.stdout.flush()  # what was printed, while somebody can still say that it cannot be
            raise
    except OSError as error:
        sys.exit(_unwritable(error))


def _unwritable(error: OSError) -> int:
    """Say that stdout takes nothing, and return the exit code; a reader that has enough is no failure."""
    from migrator.ui.console import OutputError, forget_output

    forget_output(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return 0
    print(f"mailferry: {OutputError(error)}", file=sys.stderr)  # noqa: T201  # there is no screen yet
    return 1


def _main(arguments: Namespace) -> int:
    import logging

    from migrator.events import set_up
    from migrator.ui.console import Console

    screen = Console.of(arguments)
    set_up({0: logging.WARNING, 1: logging.INFO}.get(screen.verbosity, logging.DEBUG), as_json=arguments.log_json)
    return answered(_command(arguments.command), arguments, screen)


def _survive_any_streams() -> None:
    """Write what a terminal's encoding lacks as ``\\xNN``, and into nothing what has been closed, rather than fail."""
    import io
    import os

    # Python knows no stream where a descriptor was closed; we must not write to whatever file gets its number next.
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115  # for the process's whole life
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # as above
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # as above
    sys.stdout = _buffered(sys.stdout)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _buffered(stream: TextIO) -> TextIO:
    """Return the process's stdout with a buffer: without one (PYTHONUNBUFFERED) a full disk cuts output in silence."""
    import io

    beneath: object = getattr(stream, "buffer", None)
    if stream is not sys.__stdout__ or not isinstance(beneath, io.RawIOBase):
        return stream
    return io.TextIOWrapper(io.BufferedWriter(beneath), encoding=stream.encoding)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _command(name: str) -> Command:
    def run(arguments: Namespace, screen: Console) -> int:
        if arguments.trace is None:
            return _imported(name)(arguments, screen)
        from migrator.net.trace import trace_to

        with trace_to(arguments.trace):
            return _imported(name)(arguments, screen)

    return run


def _imported(name: str) -> Command:
    """Import a command. What imports make stays; looking for garbage in it takes 5 % of a start, and 4 % of a run."""
    import gc
    from importlib import import_module

    gc.disable()
    try:
        command: Command = import_module(module_of(name)).run
    finally:
        gc.freeze()
        gc.enable()
    return command


def module_of(command: str) -> str:
    """Return the module that does a command; ``import`` is a word of Python's, so that one is ``import_mail``."""
    return "migrator.cli.commands." + ("import_mail" if command == "import" else command.replace("-", "_"))


def answered(command: Command, arguments: Namespace, screen: Console) -> int:
    """Call a command and answer for what it raises: a line on stderr and an exit code."""
    from migrator.cli.exit_codes import INTERRUPTED, WRONG_USAGE, not_done
    from migrator.errors import ConfigError, DefectError, FerryError, contained

    def run() -> int:
        try:
            return command(arguments, screen)
        except ConfigError as error:
            screen.failure("configuration", error.problems)
            return WRONG_USAGE

    try:
        with contained():
            return run()
    except DefectError as error:
        screen.failure("internal", _own_error(error.defect, is_complete=screen.verbosity > 0))
        return not_done(["internal"])
    except FerryError as error:
        screen.failure(
            error.kind, [str(error)], said=f"mailferry {arguments.command}: [{error.kind}] ", finding=error.finding
        )
        return not_done([error.kind])
    except KeyboardInterrupt:
        screen.failure("interrupted", ["interrupted"])
        return INTERRUPTED


def _own_error(error: Exception, *, is_complete: bool) -> list[str]:
    if is_complete:
        import traceback

        return [
            *"".join(traceback.format_exception(error)).splitlines(),
            "internal error: please report the lines above",
        ]
    # Not its message: nobody can say what stands in it.
    return [f"internal error ({type(error).__name__}); run again with -v to see more, and please report it"]
