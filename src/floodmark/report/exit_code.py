"""What a judged run's process ends with: ``docs/reference/command-line.md`` has the codes. Nothing is printed."""

from floodmark.analysis.document import VerdictDocument
from floodmark.core.errors import InterruptedRunError, InvalidRunError, MissedThresholdError
from floodmark.core.run_folder import Manifest, RunStatus


def exit_code_of(document: VerdictDocument, manifest: Manifest) -> int:
    """The first that holds: ended by a threshold, interrupted, not complete or not valid, a threshold missed; else 0.

    A run that does not count can neither meet a threshold nor miss it. But one that a threshold ended was cut off
    because of it: that is its result. Of a search of which only a burst could be judged, `manifest` is the search's.
    """
    if manifest.missed_live:
        return MissedThresholdError.exit_code
    if manifest.status is RunStatus.INTERRUPTED:
        return InterruptedRunError.exit_code
    if not document.validity.ok or manifest.status is not RunStatus.COMPLETE:
        return InvalidRunError.exit_code
    met = all(result.ok for result in document.thresholds)
    return 0 if met else MissedThresholdError.exit_code
