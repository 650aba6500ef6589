"""Open files of the target over a run. No limit here: that is the manifest's."""

from floodmark.analysis.axis import Axis


def files_peak(axis: Axis) -> int | None:
    """The most files that any process of the target had open at once; None where that was not seen."""
    trees = [beat.sample.processes for beat in axis.beats if beat.sample.processes is not None]
    known = [process.open_files for tree in trees for process in tree if process.open_files is not None]
    return max(known, default=None)
