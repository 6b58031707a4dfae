"""Streaming master data management: change events in, golden records out.

``resolve_frame(df, rules)`` resolves a pandas DataFrame, for trying out rules in a notebook. Importing the package
loads no library; what is asked for is imported then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mdm_stream.frame import FrameError, ResolvedFrame, resolve_frame

__version__ = "0.1.0"

__all__ = ["FrameError", "ResolvedFrame", "__version__", "resolve_frame"]


def __getattr__(name: str) -> Any:
    """Import what belongs to frames at its first use."""
    if name in {"FrameError", "ResolvedFrame", "resolve_frame"}:
        try:
            from mdm_stream import frame  # noqa: PLC0415 - it pulls in the core and numpy
        except ModuleNotFoundError as error:
            lacking = f"{name} needs more packages ({error.name} is missing): pip install 'mdm-stream[local]'"
            raise ModuleNotFoundError(lacking, name=error.name) from error

        return getattr(frame, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
