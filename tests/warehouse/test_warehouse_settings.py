"""Settings from the environment, with errors that name the variable."""

from __future__ import annotations

import boto3
import pytest

from mdm_stream.errors import ConfigurationError
from mdm_stream.warehouse import DuckDbWarehouse, WarehouseSettings, open_warehouse

SNOWFLAKE = {
    "MDM_WAREHOUSE_KIND": "snowflake",
    "MDM_WAREHOUSE_SNOWFLAKE_ACCOUNT": "org-account",
    "MDM_WAREHOUSE_SNOWFLAKE_USER": "mdm",
    "MDM_WAREHOUSE_SNOWFLAKE_DATABASE": "mdm",
    "MDM_WAREHOUSE_SNOWFLAKE_SCHEMA": "golden",
}


def test_an_empty_environment_means_a_duckdb_file() -> None:
    """Every setting has a default that works on a laptop."""
    settings = WarehouseSettings.from_environment({"MDM_WAREHOUSE_DUCKDB_PATH": "", "PATH": "/bin"})
    assert settings == WarehouseSettings()
    assert isinstance(open_warehouse(settings), DuckDbWarehouse)


def test_duckdb_settings_are_read() -> None:
    """The file, how long to wait for it, and when to let it go."""
    settings = WarehouseSettings.from_environment(
        {
            "MDM_WAREHOUSE_DUCKDB_PATH": "w.duckdb",
            "MDM_WAREHOUSE_LOCK_WAIT_MS": "50",
            "MDM_WAREHOUSE_IDLE_CLOSE_S": "0.5",
        }
    )
    assert settings == WarehouseSettings(duckdb_path="w.duckdb", lock_wait_ms=50, idle_close_s=0.5)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"MDM_WAREHOUSE_KIND": "oracle"}, "MDM_WAREHOUSE_KIND"),
        ({"MDM_WAREHOUSE_LOCK_WAIT_MS": "soon"}, "MDM_WAREHOUSE_LOCK_WAIT_MS"),
        ({"MDM_WAREHOUSE_IDLE_CLOSE_S": "-1"}, "MDM_WAREHOUSE_IDLE_CLOSE_S"),
        ({"MDM_WAREHOUSE_IDLE_CLOSE_S": "nan"}, "MDM_WAREHOUSE_IDLE_CLOSE_S"),
        ({"MDM_WAREHOUSE_KIND": "snowflake"}, "SNOWFLAKE_ACCOUNT, .*SNOWFLAKE_SCHEMA"),
        (SNOWFLAKE, "PRIVATE_KEY_PATH and"),
        (
            {
                **SNOWFLAKE,
                "MDM_WAREHOUSE_SNOWFLAKE_PRIVATE_KEY_PATH": "k.pem",
                "MDM_WAREHOUSE_SNOWFLAKE_PRIVATE_KEY_SECRET_ARN": "arn",
            },
            "one of",
        ),
    ],
)
def test_a_wrong_setting_names_its_variable(environment: dict[str, str], message: str) -> None:
    """The error says which variable to correct."""
    with pytest.raises(ConfigurationError, match=message):
        WarehouseSettings.from_environment(environment)


def test_a_key_file_and_its_passphrase_go_to_the_connector() -> None:
    """Nothing is read before the login, and the passphrase is not part of the settings' text."""
    settings = WarehouseSettings.from_environment(
        {
            **SNOWFLAKE,
            "MDM_WAREHOUSE_SNOWFLAKE_PRIVATE_KEY_PATH": "k.pem",
            "MDM_WAREHOUSE_SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": "open sesame",
            "MDM_WAREHOUSE_SNOWFLAKE_WAREHOUSE": "load",
            "MDM_WAREHOUSE_SNOWFLAKE_ROLE": "writer",
        }
    )
    assert settings.snowflake is not None
    arguments = settings.snowflake.connect_args()
    assert arguments["private_key_file"] == "k.pem"
    assert arguments["private_key_file_pwd"] == "open sesame"
    assert (arguments["warehouse"], arguments["role"]) == ("load", "writer")
    assert "sesame" not in repr(settings)
    assert settings.idle_close_s == 900


def test_a_key_kept_in_secrets_manager_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret's text is a PEM key; a missing secret, a wrong ARN and a wrong key are configuration errors."""
    why = "cryptography comes with the Snowflake connector (extra: snowflake)"
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization", reason=why)
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa", reason=why)
    moto = pytest.importorskip("moto", reason="moto is not installed (extra: local)")

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()

    def arguments(arn: str) -> dict[str, object]:
        environment = {**SNOWFLAKE, "MDM_WAREHOUSE_SNOWFLAKE_PRIVATE_KEY_SECRET_ARN": arn}
        settings = WarehouseSettings.from_environment(environment)
        assert settings.snowflake is not None
        return settings.snowflake.connect_args()

    with moto.mock_aws():
        client = boto3.client("secretsmanager", region_name="eu-west-1")
        arn = client.create_secret(Name="key", SecretString=pem)["ARN"]
        wrong = client.create_secret(Name="wrong", SecretString="not a key")["ARN"]
        loaded = serialization.load_der_private_key(arguments(arn)["private_key"], None)
        assert loaded.private_numbers() == key.private_numbers()
        with pytest.raises(ConfigurationError, match="not a PEM key"):
            arguments(wrong)
        with pytest.raises(ConfigurationError, match="ResourceNotFoundException"):
            arguments(arn.replace(":secret:key", ":secret:other"))
        with pytest.raises(ConfigurationError, match="not an ARN"):
            arguments("key")
