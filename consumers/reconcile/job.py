"""AWS Glue entry point (a Spark job of Glue 5): all domains recomputed, compared, repaired where that is asked for.

The script of the job, and a module of the package: Glue runs the one, which needs the other. The job fails where a
difference is left, so that its state is the alarm.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence

from consumers.reconcile.arguments import read_arguments
from consumers.reconcile.run import reconcile_domains
from mdm_stream.reconcile.session import cluster_session


def main(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> None:
    """Reconcile as the job's arguments say; raises ``DriftFoundError`` if anything still differs at the end."""
    with tempfile.TemporaryDirectory() as scratch:
        wanted = read_arguments(arguments, environment, scratch)
        reconcile_domains(wanted, cluster_session())


if __name__ == "__main__":
    main(sys.argv[1:])
