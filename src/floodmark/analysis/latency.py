"""Every latency of a run in one histogram, for files that have the whole distribution. It ranks none of them."""

from typing import Any

from floodmark.analysis.axis import put_on_axis
from floodmark.analysis.percentiles import US_PER_S, empty_histogram
from floodmark.analysis.steady.seconds import merge_seconds
from floodmark.core.profile import BurstProfile
from floodmark.core.run_folder import Recording
from floodmark.core.second import HIGHEST_US, LOWEST_US


def latency_histogram(recording: Recording) -> Any:
    """An HdrHistogram of microseconds from the planned release to the last byte, of every answered request.

    Of a steady load the workers' own, merged. Raises `RunFolderError` where the load was never released.
    """
    if not isinstance(recording.manifest.profile, BurstProfile):
        return merge_seconds(recording).latency
    histogram = empty_histogram()
    for request in put_on_axis(recording).answered():
        if request.ended_s is not None:
            micros = round((request.ended_s - request.planned_s) * US_PER_S)
            histogram.record_value(min(max(micros, LOWEST_US), HIGHEST_US))
    return histogram
