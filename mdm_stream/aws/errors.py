"""What to do about an AWS call that failed: the SDK's errors as ``TransientError`` or ``TerminalError``."""

from __future__ import annotations

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    UnknownServiceError,
)

from mdm_stream.errors import MdmError, TerminalError, TransientError

_TERMINAL_CODES = frozenset({
    "AccessDenied",
    "AccessDeniedException",
    "InvalidAccessKeyId",
    "InvalidArgumentException",
    "InvalidBucketName",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "KMSOptInRequired",
    "MethodNotAllowed",
    "NoSuchBucket",
    "NotAuthorized",
    "ResourceNotFoundException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    "ValidationException",
})  # fmt: skip
"""Codes that say that the request, the permission or the address is wrong. Every other code may pass: throttling, an
internal failure, an expired token (the SDK fetches a new one), and codes that AWS will add."""

_TERMINAL_ERRORS = (
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    UnknownServiceError,
)


def translated(error: BotoCoreError | ClientError, action: str) -> MdmError:
    """Return the error to raise instead, ``from`` the SDK's; ``action`` says what was tried ("write to stream x").

    Its text has AWS's error code and never AWS's message, which may repeat what was sent.
    """
    code = error_code(error)
    text = f"cannot {action}: {code}"
    terminal = code in _TERMINAL_CODES if isinstance(error, ClientError) else isinstance(error, _TERMINAL_ERRORS)
    return TerminalError(text) if terminal else TransientError(text)


def is_terminal_code(code: str) -> bool:
    """Tell whether an error code says that the request, the permission or the address is wrong."""
    return code in _TERMINAL_CODES


def error_code(error: BotoCoreError | ClientError) -> str:
    """Return AWS's code of the error, or the name of the SDK's own (a time-out, a refused connection)."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "Unknown"))
    return type(error).__name__
