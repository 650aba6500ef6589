"""The pictures of a run by name, for the report and for files: what each is called, made by, and says in words."""

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from floodmark.analysis.document import Judged
from floodmark.analysis.steady.sentence import seconds_words
from floodmark.report.measures import latency_rows, rate_words
from floodmark.report.pictures.canvas import svg_of
from floodmark.report.pictures.failures import make_failures
from floodmark.report.pictures.latency import make_latency_curve
from floodmark.report.pictures.rate import make_rate
from floodmark.report.pictures.size import WIDE, Size
from floodmark.report.pictures.split import make_split
from floodmark.report.pictures.svg import for_page
from floodmark.report.pictures.waterline import make_waterline
from floodmark.report.words import kind_words, printable, short_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of picture: its title, how it is made (None: the run has nothing to show), and what it says in words."""

    title: str
    make: Callable[[Judged, Size], Figure | None]
    describe: Callable[[Judged], str]


def _waterline(judged: Judged) -> str:
    return f"{judged.document.verdict.sentence} In the picture: {short_words(judged.document)}."


def _latency(judged: Judged) -> str:
    rows = (
        f"{name}: half within {seconds_words(times.p50_s)}, 99 % within {seconds_words(times.p99_s)}, all within"
        f" {seconds_words(times.max_s)}"
        for name, times in latency_rows(judged.document)
    )
    return f"{'; '.join(rows)}."


def _failures(judged: Judged) -> str:
    counts = judged.failed.counts if judged.failed else {}
    return f"{', '.join(f'{sum(parts):,} {kind_words(kind)} ({kind.side})' for kind, parts in counts.items())}."


def _rate(judged: Judged) -> str:
    timeline = judged.timeline
    totals = f"{timeline.answered[-1]:,} answered, {timeline.failed[-1]:,} failed" if timeline.times_s else "none"
    return f"{rate_words(judged.document) or totals}."


PICTURES = {
    "waterline": Kind(title="Where the requests were over time", make=make_waterline, describe=_waterline),
    "latency": Kind(title="How long an answer took, by percentile", make=make_latency_curve, describe=_latency),
    "split": Kind(title="What an answer's time was made of", make=make_split, describe=_latency),
    "failures": Kind(title="When requests failed, and how", make=make_failures, describe=_failures),
    "rate": Kind(title="How many requests per second", make=make_rate, describe=_rate),
}
"""Every picture of a run, by the name that a command line and a file have for it."""


def draw_picture(name: str, judged: Judged, *, size: Size = WIDE) -> str | None:
    """One of `PICTURES` as an SVG element for a page, in the page's colours; None where the run has nothing to show."""
    kind, named = PICTURES[name], size.named(name)
    drawing = svg_of(lambda: kind.make(judged, named))
    return None if drawing is None else _for_page(kind, drawing, judged, named.prefix)


def draw_waterline(judged: Judged, *, size: Size = WIDE) -> str:
    """The picture that every run has, as `draw_picture` draws it."""
    return _for_page(PICTURES["waterline"], svg_of(lambda: make_waterline(judged, size)), judged, size.prefix)


def _for_page(kind: Kind, drawing: str, judged: Judged, prefix: str) -> str:
    return for_page(
        drawing,
        prefix=prefix,
        title=f"{kind.title}: {printable(judged.document.target)}",
        description=printable(kind.describe(judged)),
    )
