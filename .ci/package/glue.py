"""What a job on Glue 5 is made of: the script, and a zip with the project and all that it needs.

The zip is a "zip of wheels" for ``--additional-python-modules``: nothing is compiled or downloaded where the job
starts. Third parties' wheels are those of requirements/glue.lock, for Glue's Python and machines.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from wheels import ROOT, project, sha256_of, shown, third_parties, write_zip

BUILT = ROOT / "build" / "glue"
SCRIPT = ROOT / "consumers" / "reconcile" / "job.py"
PYTHON = "3.11"
PLATFORMS = ("manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
"""Amazon Linux 2023, which Glue 5 runs on, has glibc 2.34."""


def build_glue() -> None:
    """Build all of it into build/glue, and name it with its digest."""
    shutil.rmtree(BUILT, ignore_errors=True)
    BUILT.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        wheels = Path(scratch) / "wheels"
        wheels.mkdir()
        third_parties(wheels, "glue", PLATFORMS, PYTHON)
        project(wheels, Path(scratch))
        pinned = sorted("==".join(wheel.name.split("-")[:2]) for wheel in wheels.glob("*.whl"))
        (wheels / "requirements.txt").write_text("".join(f"{line}\n" for line in pinned))
        files = [(f"wheels/{path.name}", path) for path in wheels.iterdir()]
        write_zip(BUILT / "mdm-stream.gluewheels.zip", files)
    shutil.copyfile(SCRIPT, BUILT / "reconcile.py")
    for path in sorted(BUILT.iterdir()):
        sys.stdout.write(f"{sha256_of(path)}  {shown(path)}  {path.stat().st_size / 1e6:.1f} MB\n")
