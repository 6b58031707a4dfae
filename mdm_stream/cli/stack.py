"""Where a running local stack can be reached: the file that `mdm-stream up` leaves in its state directory."""

from __future__ import annotations

import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click
import orjson

from mdm_stream.errors import ConfigurationError
from mdm_stream.files import write_atomically

DEFAULT_STATE = Path(".mdm-stream")
STACK_FILE = "stack.json"

_CONNECT_TIMEOUT_S = 2.0

state_option = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_STATE,
    show_default=True,
    help="The state directory of the local stack.",
)


@dataclass(frozen=True, slots=True)
class RunningStack:
    """The addresses of a running local stack. ``rules`` are absolute paths or names of packs."""

    kinesis_endpoint_url: str
    changes_stream: str
    golden_stream: str
    redis_url: str
    warehouse: str
    rules: tuple[str, ...]


def read_stack(state: Path) -> RunningStack:
    """Return the stack that runs in ``state``; ``ConfigurationError`` if there is none or its file is damaged."""
    path = state / STACK_FILE
    try:
        fields = orjson.loads(path.read_bytes())
        return RunningStack(**{**fields, "rules": tuple(fields["rules"])})
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"no local stack runs in {state}; start one with `mdm-stream up`, or name its directory with --state"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigurationError(f"{path} is damaged; stop `mdm-stream up` and start it again") from error


def running_stack(state: Path) -> RunningStack:
    """Return the stack that runs in ``state`` once its Kinesis API takes a connection; else ``ConfigurationError``.

    A stack that was killed leaves its file behind: without this question a client would retry for minutes.
    """
    stack = read_stack(state)
    address = urlsplit(stack.kinesis_endpoint_url)
    try:
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=_CONNECT_TIMEOUT_S):
            return stack
    except OSError as error:
        raise ConfigurationError(
            f"the local stack in {state} does not answer any more; start it again with `mdm-stream up`"
        ) from error


def write_stack(state: Path, stack: RunningStack) -> None:
    """Record the addresses of the stack that runs in ``state``, readable by its owner alone, as one atomic step."""
    write_atomically(state / STACK_FILE, orjson.dumps(asdict(stack), option=orjson.OPT_INDENT_2), mode=0o600)


def remove_stack(state: Path) -> None:
    """Say that no stack runs in ``state`` any more; nothing happens if none did."""
    (state / STACK_FILE).unlink(missing_ok=True)
