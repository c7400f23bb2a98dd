"""The command line: parse, call, and turn whatever happens into an exit code and a line that a person understands.

Only the grammar is imported before it has been read, so that ``--help`` and ``--version`` answer at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from migrator.cli.parser import parser

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable
    from types import FrameType

    from migrator.ui.console import Console

    Command = Callable[[Namespace, Console], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1, 2 or 130, as the contract says. No traceback reaches a user."""
    import os
    import signal

    # A plug-in of pydantic's would be shown our passwords; and looking for one among all that is installed takes time.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    os.umask(0o077)  # whatever it was: every file is 0600 and every folder 0700, those that libraries make included
    signal.signal(signal.SIGTERM, _interrupt)
    arguments = parser().parse_args(argv)
    try:
        return _main(arguments)
    except KeyboardInterrupt:  # before there was a screen to say so
        return 130


def _main(arguments: Namespace) -> int:
    import logging

    from migrator.events import set_up
    from migrator.ui.console import Console

    _survive_any_streams()
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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


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
    from migrator.cli.exit_codes import INTERRUPTED, NOT_ALL_DONE, WRONG_USAGE
    from migrator.errors import ConfigError, DefectError, FerryError, contained

    def run() -> int:
        try:
            return command(arguments, screen)
        except ConfigError as error:
            screen.failure("configuration", error.problems)
            return WRONG_USAGE
        except BrokenPipeError:
            _forget_stdout()
            return NOT_ALL_DONE

    try:
        with contained():
            return run()
    except DefectError as error:
        screen.failure("internal", _own_error(error.defect, is_complete=screen.verbosity > 0))
        return NOT_ALL_DONE
    except FerryError as error:
        screen.failure(error.kind, [f"mailferry {arguments.command}: [{error.kind}] {error}"])
        return NOT_ALL_DONE
    except KeyboardInterrupt:
        screen.failure("interrupted", ["interrupted"])
        return INTERRUPTED


def _forget_stdout() -> None:
    """Let the interpreter flush into nothing at its end: the reader of our output has gone."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _own_error(error: Exception, *, is_complete: bool) -> list[str]:
    if is_complete:
        import traceback

        return [
            *"".join(traceback.format_exception(error)).splitlines(),
            "internal error: please report the lines above",
        ]
    # Not its message: nobody can say what stands in it.
    return [f"internal error ({type(error).__name__}); run again with -v to see more, and please report it"]
