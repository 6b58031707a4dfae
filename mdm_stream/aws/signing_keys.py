"""The keys with which events are signed: from AWS Secrets Manager, or from a folder on one's own machine.

``secretsmanager:PREFIX`` is one secret a key, named PREFIX and the key's id; ``file:///folder`` or a path is a folder
with one file a key, named as the key. Either holds the key's bytes in base64, or a secret the bytes themselves
(``SecretBinary``). A key is never changed: a new one has a new id, and both are valid until the policy drops the old.
"""

from __future__ import annotations

import base64
import binascii
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws.errors import error_code, translated
from mdm_stream.contracts.signature import SigningKey
from mdm_stream.errors import ConfigurationError

SECRETS_MANAGER = "secretsmanager:"
KEY_FILE_BYTES_MAX = 4_096
_OTHERS_MAY = stat.S_IRWXG | stat.S_IRWXO


def read_signing_keys(address: str, key_ids: Iterable[str], client: Callable[[], Any]) -> dict[str, SigningKey]:
    """Return keys by their ids; ``client`` makes one of Secrets Manager, if that is where they are.

    ``ConfigurationError`` for a key that is not there, cannot be used, or lies in a file that others may read; as
    ``translated`` says for what AWS meets. No error holds a byte of a key.
    """
    wanted = sorted(key_ids)
    if not wanted:
        return {}
    if not address:
        raise ConfigurationError(
            "MDM_AUTHORITY names signing keys; set MDM_SIGNING_KEYS to where they are: secretsmanager:PREFIX or a "
            "folder"
        )
    if not address.startswith(SECRETS_MANAGER):
        folder = Path(unquote(urlsplit(address).path)) if address.startswith("file://") else Path(address)
        return {key_id: _key(key_id, _of_file(folder / key_id)) for key_id in wanted}
    manager, prefix = client(), address.removeprefix(SECRETS_MANAGER)
    return {key_id: _key(key_id, _of_secret(manager, f"{prefix}{key_id}")) for key_id in wanted}


def read_signing_key(path: Path) -> SigningKey:
    """Return the key in a file, whose name is its id; raises what ``read_signing_keys`` does."""
    return _key(path.name, _of_file(path))


def _of_secret(client: Any, name: str) -> bytes:
    try:
        secret = client.get_secret_value(SecretId=name)
    except (ClientError, BotoCoreError) as error:
        if error_code(error) == "ResourceNotFoundException":
            raise ConfigurationError(f"Secrets Manager has no secret {name}, where a signing key should be") from error
        raise translated(error, f"read the secret {name}") from error
    if "SecretBinary" in secret:
        return bytes(secret["SecretBinary"])
    return _decoded(str(secret["SecretString"]).encode(), f"the secret {name}")


def _of_file(path: Path) -> bytes:
    try:
        if path.stat().st_mode & _OTHERS_MAY:
            raise ConfigurationError(f"others may read the signing key in {path}; run: chmod 600 {path}")
        with path.open("rb") as file:
            return _decoded(file.read(KEY_FILE_BYTES_MAX), str(path))
    except OSError as error:
        raise ConfigurationError(f"cannot read the signing key in {path}: {error.strerror}") from error


def _decoded(text: bytes, place: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        raise ConfigurationError(f"the signing key in {place} is not in base64") from None


def _key(key_id: str, secret: bytes) -> SigningKey:
    try:
        return SigningKey(key_id, secret)
    except ValueError as error:
        raise ConfigurationError(f"the signing key {key_id} is too short: {error}") from None
