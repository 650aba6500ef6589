"""A run folder's verdict and report, made from its raw records; made again as often as one likes."""

from floodmark.analysis.document import Judged
from floodmark.analysis.judge import judge
from floodmark.core.run_folder import REPORT, VERDICT, RunFolder
from floodmark.report.html import render_html
from floodmark.report.verdict_json import to_json


def build_report(folder: RunFolder) -> Judged:
    """Judges the run and writes verdict.json and report.html into its folder. Raises `RunFolderError`."""
    recording = folder.read()
    judged = judge(recording)
    folder.write_text(VERDICT, to_json(judged.document))
    folder.write_text(REPORT, render_html(judged, recording.manifest))
    return judged
