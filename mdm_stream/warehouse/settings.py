"""The settings of the warehouse consumer, read once from the environment, and the warehouse that they describe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import Field, model_validator

from mdm_stream.aws.clients import aws_client
from mdm_stream.errors import ConfigurationError, TransientError
from mdm_stream.settings import Settings
from mdm_stream.warehouse.append import AppendLayout, FoldSettings, Writer, choose_layout
from mdm_stream.warehouse.append.layout import EventSession
from mdm_stream.warehouse.append.schema import LAG_S_MIN
from mdm_stream.warehouse.duckdb.read_copy import READ_COPY_AGE_S
from mdm_stream.warehouse.duckdb.session import DuckDbSession
from mdm_stream.warehouse.merge import MergeLayout
from mdm_stream.warehouse.migrations import migrate, pending, rendered
from mdm_stream.warehouse.session import Session
from mdm_stream.warehouse.snowflake.limits import (
    LOCK_TIMEOUT_S,
    LOGIN_TIMEOUT_S,
    SOCKET_TIMEOUT_S,
    SOCKET_TIMEOUT_S_MIN,
    STATEMENT_TIMEOUT_S,
    STATEMENT_TIMEOUT_S_MAX,
    Limits,
)
from mdm_stream.warehouse.snowflake.options import reapply_options
from mdm_stream.warehouse.snowflake.session import RETENTION_DAYS
from mdm_stream.warehouse.snowflake.streaming import LOOK_EVERY_S, Streaming, der_of_pem
from mdm_stream.warehouse.snowflake.warehouse import SnowflakeWarehouse
from mdm_stream.warehouse.snowflake.warehouse import open_session as log_in
from mdm_stream.warehouse.warehouse import LOCK_WAIT_MS, DuckDbWarehouse, Warehouse

PREFIX = "MDM_WAREHOUSE_"
DUCKDB_PATH = "warehouse.duckdb"
IDLE_CLOSE_S_DUCKDB = 1.0
IDLE_CLOSE_S_SNOWFLAKE = 900.0


Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class SnowflakeSettings(Settings):
    """Where to log in, and as whom. Login is by key pair.

    ``private_key_path`` names a PEM file, ``private_key_secret_arn`` a Secrets Manager secret whose text is the PEM;
    one of the two is set. ``private_key_passphrase`` decrypts either, where it is encrypted. ``writer``, ``lag_s`` and
    ``ingest``: which kind the schema is of, how far behind its folded tables may be, and how batches get in (see
    ``SnowflakeWarehouse``).
    """

    env_prefix: ClassVar[str] = f"{PREFIX}SNOWFLAKE_"
    needed_for: ClassVar[str] = "the Snowflake warehouse"
    variables: ClassVar[Mapping[str, str]] = {"schema_name": "schema"}

    account: str
    user: str
    database: str
    schema_name: str
    warehouse: str | None = None
    role: str | None = None
    private_key_path: str | None = None
    private_key_secret_arn: str | None = None
    private_key_passphrase: str | None = Field(default=None, repr=False)
    login_timeout_s: Annotated[int, Field(ge=1)] = LOGIN_TIMEOUT_S
    socket_timeout_s: Annotated[int, Field(ge=SOCKET_TIMEOUT_S_MIN)] = SOCKET_TIMEOUT_S
    statement_timeout_s: Annotated[int, Field(ge=1, le=STATEMENT_TIMEOUT_S_MAX)] = STATEMENT_TIMEOUT_S
    lock_timeout_s: Annotated[int, Field(ge=1)] = LOCK_TIMEOUT_S
    writer: Writer | None = None
    lag_s: Annotated[int, Field(ge=0)] | None = None
    retention_days: Annotated[int, Field(ge=0, le=1)] = RETENTION_DAYS
    ingest: Literal["copy", "streaming"] = "copy"
    streaming_url: Annotated[str, Field(pattern=r"https://[^/?#]+/?")] | None = None
    look_every_s: Annotated[float, Field(ge=0, le=3_600)] = LOOK_EVERY_S

    @model_validator(mode="after")
    def _has_one_key(self) -> Self:
        if (self.private_key_path is None) == (self.private_key_secret_arn is None):
            raise ValueError(
                f"set one of {PREFIX}SNOWFLAKE_PRIVATE_KEY_PATH and {PREFIX}SNOWFLAKE_PRIVATE_KEY_SECRET_ARN"
            )
        return self

    @model_validator(mode="after")
    def _streams_into_what_grows(self) -> Self:
        if self.ingest == "streaming" and self.writer == "merge":
            raise ValueError(
                f"{PREFIX}SNOWFLAKE_INGEST=streaming adds to golden_event, which {PREFIX}SNOWFLAKE_WRITER=merge has not"
            )
        return self

    @model_validator(mode="after")
    def _has_a_lag_that_snowflake_takes(self) -> Self:
        if self.lag_s and self.lag_s < LAG_S_MIN:
            raise ValueError(f"{PREFIX}SNOWFLAKE_LAG_S is 0 for views, or at least {LAG_S_MIN}")
        return self

    def limits(self) -> Limits:
        """Return how long a session waits for what."""
        return Limits(self.login_timeout_s, self.socket_timeout_s, self.statement_timeout_s, self.lock_timeout_s)

    def streaming(self) -> Streaming | None:
        """Return where batches are streamed to, None if they go by COPY."""
        return Streaming(self.streaming_url, self.look_every_s) if self.ingest == "streaming" else None

    def connect_args(self) -> dict[str, Any]:
        """Return the connector's arguments. Reads the secret, if one is named, at this moment."""
        arguments: dict[str, Any] = {
            "account": self.account,
            "user": self.user,
            "database": self.database,
            "schema": self.schema_name,
            "authenticator": "SNOWFLAKE_JWT",
        }
        if self.warehouse is not None:
            arguments["warehouse"] = self.warehouse
        if self.role is not None:
            arguments["role"] = self.role
        if self.private_key_secret_arn is not None:
            arguments["private_key"] = der_of_pem(
                _read_secret(self.private_key_secret_arn), self.private_key_passphrase
            )
        else:
            arguments["private_key_file"] = self.private_key_path
            if self.private_key_passphrase is not None:
                arguments["private_key_file_pwd"] = self.private_key_passphrase
        return arguments


class WarehouseSettings(Settings):
    """Everything that the warehouse consumer is configured by; ``docs/reference/warehouse.md`` lists the variables.

    ``copy_age_s``: how old the read copy of a DuckDB file may be before a change makes a new one; 0: there is none.
    ``claims_url``: where the data of claim checks lie for this consumer, if that is not where the messages say.
    """

    env_prefix: ClassVar[str] = PREFIX

    kind: Literal["duckdb", "snowflake"] = "duckdb"
    duckdb_path: str = DUCKDB_PATH
    lock_wait_ms: Annotated[int, Field(ge=0)] = LOCK_WAIT_MS
    idle_close_s: Seconds = IDLE_CLOSE_S_DUCKDB
    copy_age_s: Seconds = READ_COPY_AGE_S
    snowflake: SnowflakeSettings | None = None
    claims_url: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], **fixed: Any) -> Self:
        """Read the variables that start with ``MDM_WAREHOUSE_``; see ``Settings.from_environment``."""
        known = super().from_environment(environment, snowflake=None, **fixed)
        if known.kind != "snowflake":
            return known
        changed: dict[str, Any] = {"snowflake": SnowflakeSettings.from_environment(environment)}
        if "idle_close_s" not in known.model_fields_set:
            changed["idle_close_s"] = IDLE_CLOSE_S_SNOWFLAKE
        return known.model_copy(update=changed)


def open_warehouse(settings: WarehouseSettings, *, read_only: bool = False) -> Warehouse:
    """Return the warehouse of ``settings``. Nothing is connected before its first use. A read-only one never migrates.

    A Snowflake key is read again for every login, so that one that was rotated is picked up by the next session.
    """
    snowflake = settings.snowflake
    if snowflake is not None:
        fold = FoldSettings(snowflake.lag_s, snowflake.warehouse)
        return SnowflakeWarehouse(
            snowflake.connect_args,
            snowflake.limits(),
            writer=snowflake.writer,
            fold=fold,
            retention_days=snowflake.retention_days,
            streaming=snowflake.streaming(),
            read_only=read_only,
        )
    return DuckDbWarehouse(
        settings.duckdb_path,
        read_only=read_only,
        lock_wait_ms=settings.lock_wait_ms,
        copy_age_s=None if read_only else settings.copy_age_s,
    )


def open_session(settings: WarehouseSettings) -> Session:
    """Connect to the database of ``settings`` as it is: no table is made, and no schema is checked.

    A DuckDB file that does not exist is made.
    """
    snowflake = settings.snowflake
    if snowflake is not None:
        return log_in(snowflake.connect_args, snowflake.limits(), snowflake.retention_days)
    return DuckDbSession(settings.duckdb_path, read_only=False, lock_wait_ms=settings.lock_wait_ms)


def pending_changes(session: Session, settings: WarehouseSettings) -> list[tuple[str, tuple[str, ...]]]:
    """Return what the schema lacks, without writing: names, each with its statements on this database.

    Raises ``ConfigurationError`` where the schema is newer than this code, or of the other kind.
    """
    append = _append_layout(session, settings)
    if append is not None:
        return append.pending(session)
    return [
        (f"{migration.version:04d}_{migration.name}", rendered(session, migration)) for migration in pending(session)
    ]


def migrate_schema(session: Session, settings: WarehouseSettings) -> None:
    """Bring the schema up to this code, whichever kind it is or is to be. Repeatable.

    Options that it has are set on tables that are new, or were made anew.
    """
    append = _append_layout(session, settings)
    if append is None:
        migrate(session)
    else:
        append.migrate(cast("EventSession", session))
    if settings.snowflake is not None:
        reapply_options(session)


def _append_layout(session: Session, settings: WarehouseSettings) -> AppendLayout | None:
    snowflake = settings.snowflake
    if snowflake is None:
        return None
    append = AppendLayout(FoldSettings(snowflake.lag_s, snowflake.warehouse))
    return append if choose_layout(session, snowflake.writer, append, MergeLayout()) is append else None


def _read_secret(arn: str) -> str:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - only a key in Secrets Manager needs it

    try:
        # An ARN is arn:partition:secretsmanager:region:account:secret:name; the secret may be of another region.
        client = aws_client("secretsmanager", region=arn.split(":")[3])
        return str(client.get_secret_value(SecretId=arn)["SecretString"])
    except IndexError as error:
        raise ConfigurationError(f"{PREFIX}SNOWFLAKE_PRIVATE_KEY_SECRET_ARN is not an ARN") from error
    except KeyError as error:
        raise ConfigurationError("the secret of the Snowflake private key holds no text") from error
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in {"AccessDeniedException", "ResourceNotFoundException", "InvalidRequestException"}:
            raise ConfigurationError(f"the secret of the Snowflake private key cannot be read: {code}") from error
        raise TransientError(f"Secrets Manager: {code}") from error
    except BotoCoreError as error:
        raise TransientError(f"Secrets Manager: {type(error).__name__}") from error
