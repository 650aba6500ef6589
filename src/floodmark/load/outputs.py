"""`--export` and `--otlp` of Locust's command line: what the judging process is to hand over. It writes nothing."""

from typing import Any

from floodmark.core.outputs import ExportFormat, Outputs, parse_outputs

_EXPORT_WORDS = (
    "Write the results there, too, as the name's ending says, or FORMAT:FILE with one of"
    f" {', '.join(ExportFormat)}. May be repeated"
)


def add_output_options(group: Any) -> None:
    """Adds the options to a group of Locust's parser; never to the start form: who opens a page names no files here."""
    for action in (
        group.add_argument(
            "--export", env_var="FLOODMARK_EXPORT", metavar="FILE", action="append", default=[], help=_EXPORT_WORDS
        ),
        group.add_argument(
            "--otlp",
            env_var="FLOODMARK_OTLP",
            metavar="URL",
            default="",
            help="Send the numbers to an OpenTelemetry receiver (OTLP over HTTP), too",
        ),
    ):
        action.include_in_web_ui = action.is_secret = action.is_required = action.is_multiple = False


def read_outputs(parsed: Any) -> Outputs:
    """What the master was started with. Raises `UsageError`.

    To be read once, at the start: Locust's web server lets a start form change every option by its name.
    """
    return parse_outputs(tuple(parsed.export or ()), parsed.otlp.strip())
