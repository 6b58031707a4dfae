"""What a job on Glue is made of: built twice it is the same, installs without an index, and runs on S3."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import boto3
import pytest
from glue_world import CREDENTIALS, Deployed
from moto.server import ThreadedMotoServer
from source_tree import ROOT

BUILT = ROOT / "build" / "glue"
WHEELS = BUILT / "mdm-stream.gluewheels.zip"
HADOOP_AWS = "org.apache.hadoop:hadoop-aws:3.3.4"
"""Of the Hadoop that PySpark 3.5 brings: what reads s3:// where Glue has its own."""
BINARY = re.compile(r"-cp311-(?:cp311|abi3)-.*manylinux.*x86_64\.whl$|-none-any\.whl$")
UNREACHABLE = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|network is unreachable|unresolved dependenc", re.IGNORECASE
)

pytestmark = [
    pytest.mark.downloads,
    pytest.mark.one_redis,
    pytest.mark.spark,
    pytest.mark.skipif(shutil.which("java") is None, reason="Java is not installed, which Spark needs"),
    pytest.mark.timeout(1_800),
]


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command; skip where nothing can be downloaded."""
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=900, check=False
    )
    if done.returncode and UNREACHABLE.search(done.stderr):
        pytest.skip("no package index can be reached")
    return done


def built() -> str:
    """Build; return the digest of the zip."""
    done = run(sys.executable, str(ROOT / ".ci" / "package"), "glue")
    assert done.returncode == 0, done.stderr
    return hashlib.sha256(WHEELS.read_bytes()).hexdigest()


@pytest.fixture
def python(tmp_path: Path) -> str:
    """An interpreter in which the zip is installed as Glue does it, and Spark, which Glue has."""
    assert built() == built()
    with zipfile.ZipFile(WHEELS) as archive:
        archive.extractall(tmp_path)
        names = archive.namelist()
    assert [name for name in names if name.endswith(".whl") and not BINARY.search(name)] == []
    folder, wheels = tmp_path / "environment", tmp_path / "wheels"
    venv.create(folder, with_pip=True)
    interpreter = str(folder / "bin" / "python")
    pip = [interpreter, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"]
    done = run(*pip, "--no-index", "-f", str(wheels), "-r", str(wheels / "requirements.txt"))
    assert done.returncode == 0, done.stderr
    done = run(*pip, "-c", str(ROOT / "constraints.txt"), "pyspark")
    assert done.returncode == 0, done.stderr
    return interpreter


def test_what_is_built_runs_on_s3(python, redis_client, redis_url, tmp_path, monkeypatch):
    """Archive, tables and reports on S3, by the built script: clean, then damaged and failing, and no table is left."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": url}.items():
        monkeypatch.setenv(name, value)
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="mdm", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket="mdm", VersioningConfiguration={"Status": "Enabled"})
    try:
        world = Deployed(redis_client, redis_url, tmp_path, "s3://mdm")
        world.deliver(15, 1)
        s3.upload_file(str(tmp_path / "rules.yaml"), "mdm", "rules/person.yaml")
        job = [python, str(BUILT / "reconcile.py"), *world.arguments(RULES="s3://mdm/rules/person.yaml")]
        clean = run(*job, PYSPARK_SUBMIT_ARGS=_submitted(url), PYTHONPATH="", PYSPARK_PYTHON=python)
        assert clean.returncode == 0, clean.stderr[-3_000:]
        assert '"clean":true' in clean.stdout
        world.damage()
        failed = run(*job, PYSPARK_SUBMIT_ARGS=_submitted(url), PYTHONPATH="", PYSPARK_PYTHON=python)
        assert failed.returncode != 0
        said = "DriftFoundError: person: 1 differences are left (1 stale_golden); the report is s3://mdm/archive/"
        assert said in failed.stderr
        reports = s3.list_objects_v2(Bucket="mdm", Prefix="archive/reconcile-runs/")
        assert sorted(Path(each["Key"]).suffix for each in reports["Contents"]) == [".html", ".html", ".json", ".json"]
        versions = s3.list_object_versions(Bucket="mdm", Prefix="work/")
        assert [each["Key"] for each in versions.get("Versions", ()) if each["Size"]] == []
    finally:
        server.stop()


def _submitted(url: str) -> str:
    """Return how Spark is started here: two cores, and S3A for s3:// where Glue has EMRFS."""
    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.endpoint": url,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.access.key": "test",
        "spark.hadoop.fs.s3a.secret.key": "test",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
    }
    named = " ".join(f"--conf {name}={value}" for name, value in settings.items())
    return f"--master local[2] --packages {HADOOP_AWS} {named} pyspark-shell"
