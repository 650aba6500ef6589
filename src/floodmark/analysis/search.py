"""What a search found: the verdict of its decisive burst, with all bursts beside it. Each burst is judged elsewhere."""

from collections.abc import Sequence
from dataclasses import replace

from floodmark.analysis.document import Check, Judged, Validity, VerdictDocument
from floodmark.analysis.sentence import listing
from floodmark.analysis.summary import summary_of
from floodmark.core.errors import RunFolderError
from floodmark.core.outcomes import Outcome
from floodmark.core.run_folder import Manifest, RunStatus, SearchStep

COMPLETE = "run complete"


def judged_step(step: SearchStep, document: VerdictDocument) -> SearchStep:
    """A step with what its verdict says."""
    return replace(
        step,
        judged=True,
        valid=document.validity.ok,
        ceiling=document.verdict.in_service.ceiling,
        peak=document.verdict.in_service.peak,
        answered=document.outcomes.get(Outcome.ANSWERED.value, 0),
    )


def decisive(steps: Sequence[SearchStep], path: str) -> int:
    """The index of the first valid step with a ceiling, else of the last that was judged.

    Raises `RunFolderError` where none was judged; `path` is the search's folder.
    """
    proven = [index for index, step in enumerate(steps) if step.judged and step.valid and step.ceiling is not None]
    judged = [index for index, step in enumerate(steps) if step.judged]
    if not judged:
        raise RunFolderError(f"{path}: the search ended before its first burst was judged; run it again")
    return proven[0] if proven else judged[-1]


def judge_search(manifest: Manifest, steps: tuple[SearchStep, ...], found: Judged, index: int) -> Judged:
    """The search's verdict: that of its decisive step, with the search's own words and its end before it."""
    document = found.document
    verdict = replace(
        document.verdict, sentence=f"{_sentence(manifest, steps, document, index)} {document.verdict.sentence}"
    )
    return replace(
        found,
        document=replace(
            document,
            target=manifest.target,
            status=manifest.status.value,
            profile=summary_of(manifest.profile),
            verdict=verdict,
            validity=_validity(manifest, document.validity),
            steps=steps,
        ),
    )


def _sentence(manifest: Manifest, steps: Sequence[SearchStep], document: VerdictDocument, index: int) -> str:
    sizes = [f"{step.requests:,}" for step in steps if step.judged]
    row = f"bursts of {listing(sizes)} requests" if len(sizes) > 1 else f"one burst of {sizes[0]} requests"
    return f"A search over {row}: {_finding(manifest, steps[index], document)}."


def _finding(manifest: Manifest, step: SearchStep, document: VerdictDocument) -> str:
    most = summary_of(manifest.profile).requests or step.requests
    if step.valid and step.ceiling is not None:
        return f"the ceiling of {step.ceiling:,} was proven with {step.requests:,}"
    failed = sum(failure.count for failure in document.verdict.failures)
    nothing = f"no ceiling up to {step.requests:,}"
    if not step.valid:
        return f"{nothing}, of which the last burst does not count"
    if failed and step.requests < most:
        return f"{nothing}, where {failed:,} failed and the search ended"
    if step.requests < most:
        return f"{nothing}, where the search ended"
    return nothing


def _validity(manifest: Manifest, found: Validity) -> Validity:
    """The step's checks; that it is complete is said of the whole search."""
    ok = manifest.status is RunStatus.COMPLETE and not manifest.problems
    words = "; ".join(manifest.problems) or f"the search is {manifest.status.value}"
    own = next((check for check in found.checks if check.name == COMPLETE), None)
    if own is not None and own.ok is False:
        ok, words = False, f"{words}; its last burst: {own.words}"
    others = tuple(check for check in found.checks if check.name != COMPLETE)
    checks = (Check(name=COMPLETE, ok=ok, words=words), *others)
    return Validity(ok=all(check.ok is not False for check in checks), checks=checks)
