"""Runs every benchmark and ends with one table: each figure, against what, and whether its bar is met.

    python benchmarks/all.py

A quarter of an hour. Nothing else should run meanwhile. Ends with 1 where a bar is missed or a benchmark failed.
"""

import subprocess
import sys
from pathlib import Path

from _common import SEPARATOR, machine
from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).parent
COLUMNS = ("", "figure", "against", "today", "bar")


def run(script: Path) -> tuple[int, list[list[str]]]:
    """Runs one benchmark, showing what it prints: its exit code, and the bars that it said."""
    print(f"\n== {script.name}", flush=True)
    bars = []
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        for line in process.stdout or ():
            print(line, end="", flush=True)
            parts = line.rstrip("\n").split(SEPARATOR)
            if parts[0] in ("met", "MISSED") and len(parts) == len(COLUMNS):
                bars.append(parts)
    return process.returncode, bars


def main() -> None:
    """Runs them all, in the order of their names."""
    scripts = sorted(script for script in FOLDER.glob("[a-z]*.py") if script != Path(__file__))
    rows, failed = [], []
    for script in scripts:
        code, bars = run(script)
        rows += bars
        if code:
            failed.append(script.name)
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    print()
    Console().print(table)
    print(machine("floodmark", "locust", "gevent"))
    if failed:
        sys.exit(f"missed a bar, or failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
