"""A run folder's verdict, report and picture, made from its raw records; made again as often as one likes."""

from floodmark.analysis.document import Judged
from floodmark.analysis.judge import judge
from floodmark.core.run_folder import REPORT, VERDICT, WATERLINE, RunFolder
from floodmark.report.html import render_html
from floodmark.report.svg import as_file
from floodmark.report.verdict_json import to_json


def build_report(folder: RunFolder) -> Judged:
    """Judges the run and writes verdict.json, report.html and waterline.svg into its folder.

    Raises `RunFolderError`.
    """
    # Here, not above: the drawing library takes a second to load, and most commands draw nothing.
    from floodmark.report.waterline import draw_waterline  # noqa: PLC0415  the reason is above

    recording = folder.read()
    judged = judge(recording)
    folder.write_text(VERDICT, to_json(judged.document))
    folder.write_text(REPORT, render_html(judged, recording.manifest))
    folder.write_text(WATERLINE, as_file(draw_waterline(judged)))
    return judged
