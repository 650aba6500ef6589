"""What a suite keeps of one run, for tests that look at rows and not at verdicts."""

from floodmark.core.suite import SuiteFound

FOUND_FOUR = SuiteFound(
    sentence="it handles 4",
    invalid=(),
    planned=10,
    answered=10,
    ceiling=4,
    peak=4,
    unit=None,
    reused=None,
    processes=None,
    lines=(),
    failures={},
)
"""Ten requests, four at once; who ran them is not known."""
