"""A run folder's verdict as this version finds it, of any kind of run. It writes nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from floodmark.analysis.document import Judged
from floodmark.analysis.judge import judge
from floodmark.analysis.search import decisive, judge_search, judged_step
from floodmark.core.profile import SearchProfile
from floodmark.core.run_folder import Manifest, RunFolder
from floodmark.core.target import TargetSpec


def judge_again(folder: RunFolder, known: Sequence[TargetSpec] = ()) -> tuple[Manifest, Judged]:
    """The manifest and the verdict; of a search, with what its decisive burst knows of the target.

    Raises `RunFolderError`.
    """
    manifest = folder.manifest()
    if not isinstance(manifest.profile, SearchProfile):
        return manifest, judge(folder.read(), known)
    manifest, judged, _ = judge_search_again(folder, manifest, lambda burst: judge(burst.read(), known))
    return manifest, judged


def judge_search_again(
    folder: RunFolder, manifest: Manifest, judge_burst: Callable[[RunFolder], Judged]
) -> tuple[Manifest, Judged, RunFolder]:
    """A search's manifest with what it leaves to its bursts to say, its verdict, and the decisive burst's folder.

    `judge_burst` is asked for the verdict of each burst that ended.
    """
    steps, found = list(manifest.steps), {}
    for index, step in enumerate(steps):
        if step.judged:
            found[index] = judge_burst(RunFolder(folder.path / step.folder))
            steps[index] = judged_step(step, found[index].document)
    index = decisive(steps, str(folder.path))
    burst = RunFolder(folder.path / steps[index].folder)
    manifest = _of_search(manifest, burst.manifest())
    return manifest, judge_search(manifest, tuple(steps), found[index], index), burst


def _of_search(search: Manifest, burst: Manifest) -> Manifest:
    """What a search leaves to its bursts to say: the target's limits, and what the agent saw and could not see."""
    return replace(
        search,
        limits=search.limits or burst.limits,
        agent=search.agent or burst.agent,
        agent_notes=search.agent_notes or burst.agent_notes,
        commands=search.commands or burst.commands,
        versions=search.versions or burst.versions,
    )
