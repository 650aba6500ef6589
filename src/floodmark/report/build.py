"""A run folder's verdict, report and picture, made from its raw records; made again as often as one likes."""

from collections.abc import Sequence
from dataclasses import replace

from floodmark.analysis.document import Judged
from floodmark.analysis.judge import judge
from floodmark.analysis.search import decisive, judge_search, judged_step
from floodmark.core.profile import SearchProfile
from floodmark.core.run_folder import REPORT, VERDICT, WATERLINE, Manifest, RunFolder
from floodmark.core.target import TargetSpec
from floodmark.report.html import render_html
from floodmark.report.svg import as_file
from floodmark.report.verdict_json import to_json


def build_report(folder: RunFolder, known: Sequence[TargetSpec] = ()) -> Judged:
    """Judges the run and writes verdict.json, report.html and waterline.svg into its folder.

    `known` are targets that a server of no target may be recognised as. Of a search first those of its bursts, each in
    its own folder; its own are of the decisive burst. Raises `RunFolderError`.
    """
    manifest = folder.manifest()
    if isinstance(manifest.profile, SearchProfile):
        return _build_search(folder, manifest, known)
    judged = judge(folder.read(), known)
    _write(folder, judged, manifest)
    return judged


def _build_search(folder: RunFolder, manifest: Manifest, known: Sequence[TargetSpec]) -> Judged:
    steps, found = list(manifest.steps), {}
    for index, step in enumerate(steps):
        if step.judged:
            found[index] = build_report(RunFolder(folder.path / step.folder), known)
            steps[index] = judged_step(step, found[index].document)
    index = decisive(steps, str(folder.path))
    judged = judge_search(manifest, tuple(steps), found[index], index)
    burst = RunFolder(folder.path / steps[index].folder).manifest()
    # What a search leaves to its bursts to say: the target's limits, and what the agent could not see.
    _write(
        folder,
        judged,
        replace(
            manifest,
            limits=manifest.limits or burst.limits,
            agent_notes=manifest.agent_notes or burst.agent_notes,
            commands=manifest.commands or burst.commands,
            versions=manifest.versions or burst.versions,
        ),
    )
    return judged


def _write(folder: RunFolder, judged: Judged, manifest: Manifest) -> None:
    # Here, not above: the drawing library takes a second to load, and most commands draw nothing.
    from floodmark.report.picture import WIDE  # noqa: PLC0415  the reason is above
    from floodmark.report.waterline import draw_waterline  # noqa: PLC0415  the reason is above

    wide = draw_waterline(judged, size=WIDE)
    folder.write_text(VERDICT, to_json(judged.document))
    folder.write_text(REPORT, render_html(judged, manifest, wide=wide))
    folder.write_text(WATERLINE, as_file(wide))
