"""A run folder's verdict, report and picture, made from its raw records; made again as often as one likes."""

from collections.abc import Sequence

from floodmark.analysis.document import Judged
from floodmark.analysis.judge import judge
from floodmark.analysis.thresholds import with_thresholds
from floodmark.core.profile import SearchProfile
from floodmark.core.run_folder import REPORT, TIMELINE, VERDICT, WATERLINE, Manifest, RunFolder
from floodmark.core.target import TargetSpec
from floodmark.core.threshold_grammar import ranks_of
from floodmark.report.formats.timeline_json import to_timeline_json
from floodmark.report.formats.verdict_json import to_json
from floodmark.report.judge_again import judge_search_again
from floodmark.report.page.beside import files_beside
from floodmark.report.page.html import render_html
from floodmark.report.pictures.svg import as_file


def build_report(folder: RunFolder, known: Sequence[TargetSpec] = (), wanted: Sequence[str] = ()) -> Judged:
    """Judges the run and writes verdict.json, report.html, waterline.svg and timeline.json into its folder.

    `known` are targets that a server of no target may be recognised as; `wanted` thresholds to be met besides the run's
    own. Of a search first those of its bursts, each in its own folder; its own are of the decisive burst. Raises
    `RunFolderError`, and `ThresholdError` for a text that is no threshold.
    """
    manifest = folder.manifest()
    texts = (*manifest.thresholds, *wanted)
    ranks = ranks_of(texts)
    if isinstance(manifest.profile, SearchProfile):
        judged, shown = _judge_search(folder, manifest, known, ranks)
    else:
        judged, shown = _judge_load(folder, known, ranks), manifest
    judged = with_thresholds(judged, texts, manifest.missed_live)
    _write(folder, judged, shown)
    return judged


def _judge_search(
    folder: RunFolder, manifest: Manifest, known: Sequence[TargetSpec], ranks: Sequence[float]
) -> tuple[Judged, Manifest]:
    """The search's verdict, and its manifest with what it leaves to its bursts to say."""
    shown, judged, burst = judge_search_again(folder, manifest, lambda burst: _build_step(burst, known, ranks))
    folder.write_text(TIMELINE, (burst.path / TIMELINE).read_text(encoding="utf-8"))
    return judged, shown


def _build_step(folder: RunFolder, known: Sequence[TargetSpec], ranks: Sequence[float]) -> Judged:
    """One burst of a search; what the search was to meet is the whole's."""
    judged = _judge_load(folder, known, ranks)
    _write(folder, judged, folder.manifest())
    return judged


def _judge_load(folder: RunFolder, known: Sequence[TargetSpec], ranks: Sequence[float]) -> Judged:
    """One load's verdict; its curves are written at once, since they take what the verdict has not."""
    recording = folder.read()
    judged = judge(recording, known, ranks)
    folder.write_text(TIMELINE, to_timeline_json(judged, recording))
    return judged


def _write(folder: RunFolder, judged: Judged, manifest: Manifest) -> None:
    # Here, not above: the drawing library takes a second to load, and most commands draw nothing.
    from floodmark.report.pictures.catalogue import draw_waterline  # noqa: PLC0415  the reason is above

    wide = draw_waterline(judged)
    folder.write_text(VERDICT, to_json(judged.document))
    folder.write_text(WATERLINE, as_file(wide))
    folder.write_text(REPORT, render_html(judged, manifest, wide=wide, files=files_beside(folder.path)))
