"""Build what is deployed: each Lambda function as a zip, and what a job on Glue is made of.

    python .ci/package                        every function for both machines, into build/packages
    python .ci/package resolve --machine arm64
    python .ci/package glue                   the job on Glue, into build/glue

Third parties' wheels are those of requirements/, checked by their hashes. The same tree gives the same bytes: the
project's wheel has the time of the last commit, the archives have none.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from functions import FUNCTIONS, MACHINES, PackageError, build_functions
from glue import build_glue
from wheels import ROOT

GLUE = "glue"


def main() -> int:
    """Build what the command line names; 1 if a package has a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(FUNCTIONS)} or {GLUE}; every function")
    parser.add_argument("--machine", action="append", choices=list(MACHINES), help="both, if left out")
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "packages", help="a folder; for functions alone")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - {*FUNCTIONS, GLUE}):
        parser.error(f"there is no package {', '.join(unknown)}")
    if GLUE in options.names:
        build_glue()
    names = [name for name in FUNCTIONS if name in options.names or not options.names]
    try:
        if names:
            build_functions(names, options.machine or list(MACHINES), options.into.absolute())
    except PackageError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
