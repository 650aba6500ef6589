"""`--export`, `--otlp` and `floodmark schema`: what is handed over beside the verdict. It formats nothing."""

import datetime as dt
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from floodmark.analysis.document import Judged
from floodmark.cli import groups
from floodmark.core.errors import FloodmarkError
from floodmark.core.outputs import ExportFormat, Outputs, parse_outputs
from floodmark.core.run_folder import RunFolder
from floodmark.report.formats.schema import Schema, to_schema

ExportOption = Annotated[
    list[str] | None,
    typer.Option(
        "--export",
        metavar="FILE",
        help="Write the results there too, as the name's ending says, or FORMAT:FILE with one of"
        f" {', '.join(ExportFormat)}. May be repeated.",
        show_default=False,
        rich_help_panel=groups.RUN,
    ),
]

OtlpOption = Annotated[
    str,
    typer.Option(
        "--otlp",
        metavar="URL",
        help="Send the numbers to an OpenTelemetry receiver (OTLP over HTTP), too.",
        show_default=False,
        rich_help_panel=groups.RUN,
    ),
]


def outputs_of(exports: Sequence[str] | None, otlp: str) -> Outputs:
    """What was asked for, proven to be possible as far as that can be known beforehand. Raises `UsageError`."""
    return parse_outputs(tuple(exports or ()), otlp.strip())


def hand_over(judged: Judged, folder: RunFolder, outputs: Outputs) -> None:
    """Writes and sends everything that was asked for. Raises `FloodmarkError` where some of that could not be done.

    What only the environment asks for is a warning then.
    """
    # Here, not above: the command line is there sooner without the formats' libraries. So it is below.
    from floodmark.report.formats.exports import export, export_as_environment_asks  # noqa: PLC0415  the reason is above

    for warning in export_as_environment_asks(judged, folder, os.environ):
        print(f"floodmark: {warning}", file=sys.stderr)
    if problems := export(judged, folder, outputs):
        raise FloodmarkError("; ".join(problems))


@contextmanager
def failure_handed_over(target: str, outputs: Outputs) -> Iterator[None]:
    """What fails in here leaves no verdict: CI is to find a test that failed, and nothing of a run before."""
    try:
        yield
    except BaseException as error:  # Ctrl-C and bugs leave none, either
        from floodmark.report.formats.exports import export_failure  # noqa: PLC0415  as above

        words = str(error) if isinstance(error, FloodmarkError) else repr(error)
        # A run that is interrupted is judged as far as it came: that is appended to CI's summary, and no other word.
        environ = {} if isinstance(error, KeyboardInterrupt) else os.environ
        export_failure(target, words, dt.datetime.now(tz=dt.UTC), outputs, environ)
        raise


def schema(
    of: Annotated[
        Schema,
        typer.Argument(help="What it is of: verdict.json, or what `floodmark compare --json` writes."),
    ] = Schema.VERDICT,
) -> None:
    """Prints a JSON Schema: of verdict.json, or of a comparison."""
    print(to_schema(of), end="")
