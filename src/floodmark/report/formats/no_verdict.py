"""What is handed over of a run that has no verdict.

`python -m floodmark.report.formats.no_verdict TARGET WORDS EXPORT...`
Locust's master runs it, which may not import this room. It judges nothing and prints nothing.
"""

import datetime as dt
import os
import sys
from collections.abc import Sequence

from floodmark.core.outputs import parse_outputs
from floodmark.report.formats.exports import export_failure


def main(words: Sequence[str]) -> None:
    """`words` are the target, why there is no verdict, and exports as `--export` takes them."""
    target, why, *exports = words
    export_failure(target, why, dt.datetime.now(tz=dt.UTC), parse_outputs(exports), os.environ)


if __name__ == "__main__":
    main(sys.argv[1:])
