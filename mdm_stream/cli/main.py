"""The entry point ``mdm-stream``: finds the command, runs it, and turns errors into a sentence and an exit code.

Exit codes: 0 done; 1 it failed; 2 the call, the rules or the configuration are wrong; 130 interrupted. A traceback is
shown for ``mdm-stream --debug COMMAND`` alone.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

try:
    import click
except ModuleNotFoundError:
    raise SystemExit("mdm-stream: the command line needs more packages: pip install 'mdm-stream[local]'") from None

from mdm_stream.cli.output import say_error
from mdm_stream.cli.registry import COMMANDS
from mdm_stream.errors import ConfigurationError, MdmError, RulesError
from mdm_stream.files import PRIVATE_UMASK

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

PROGRAM = "mdm-stream"

_OF_PLACES = frozenset({
    errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOSPC, errno.EROFS, errno.EDQUOT,
    errno.ENAMETOOLONG, errno.ELOOP,
})  # fmt: skip
"""What is wrong with a place that was named, or with its disk: no fault of this code."""


@dataclass(slots=True)
class CommandSession:
    """What the options before the command say; the context object of every command."""

    debug: bool = False


class LazyGroup(click.Group):
    """A group whose commands are those of the registry, imported one at a time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the registry."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command; None if there is none of that name."""
        del ctx
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        try:
            command = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] in {"mdm_stream", "producers", "consumers"}:
                raise
            raise ConfigurationError(
                f"{PROGRAM} {cmd_name} needs the package {error.name}; install it with: pip install 'mdm-stream[local]'"
            ) from error
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the registry, without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command; an unknown one is a usage error that names the likeliest."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"there is no command {args[0]!r}{_nearest(args[0])}")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(package_name=PROGRAM)
@click.pass_context
def cli(ctx: click.Context, *, debug: bool) -> None:
    """Streaming master data management: change events in, golden records out."""
    ctx.ensure_object(CommandSession).debug = debug


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Errors go to stderr, and never leave this function."""
    session = CommandSession()
    try:
        outcome = cli.main(args=argv, prog_name=PROGRAM, obj=session, standalone_mode=False)
    except click.ClickException as error:
        told = io.StringIO()
        error.show(file=told)  # it may repeat an argument, and that an id from outside
        say_error(told.getvalue().rstrip("\n"))
        return EXIT_USAGE if isinstance(error, click.UsageError) else EXIT_FAILED
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does. What is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the last resort of a program: a sentence
        if session.debug:
            say_error("".join(traceback.format_exception(error)).rstrip())
        code, said = _verdict_on(error)
        say_error(f"{PROGRAM}: {said}")
        return code
    return outcome if isinstance(outcome, int) else 0


def main() -> NoReturn:
    """Run the command of the process's arguments and exit. Whatever it writes is readable by its user alone."""
    os.umask(PRIVATE_UMASK)
    sys.exit(run())


def _verdict_on(error: BaseException) -> tuple[int, str]:
    """Return the exit code for an error, and the sentence that tells of it."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return EXIT_INTERRUPTED, "interrupted"
    if isinstance(error, RulesError | ConfigurationError):
        return EXIT_USAGE, str(error)
    if isinstance(error, MdmError):
        return EXIT_FAILED, str(error)
    if isinstance(error, OSError) and error.errno in _OF_PLACES and error.strerror:
        return EXIT_FAILED, f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return EXIT_FAILED, f"unexpected {type(error).__name__}; run `{PROGRAM} --debug ...` to see where"


def _nearest(name: str) -> str:
    import difflib  # noqa: PLC0415 - needed for a mistake alone

    close = difflib.get_close_matches(name, COMMANDS, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; see {PROGRAM} --help"


if __name__ == "__main__":
    main()
