"""A timeline of nothing, for what is judged by its verdict alone."""

from floodmark.analysis.document import Timeline

NO_TIMELINE = Timeline(
    times_s=(),
    places={},
    answered=(),
    failed=(),
    unsent=(),
    certain_until_s=None,
    processes=(),
    threads=(),
    open_files=(),
    rss_bytes=(),
)
