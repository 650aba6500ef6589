"""What of two runs is compared, and how each of it is to be read. The values are the verdicts'; nothing is tested."""

from dataclasses import dataclass

from floodmark.analysis.document import VerdictDocument
from floodmark.analysis.estimates import HANDLER_TIMES
from floodmark.analysis.metrics import CATALOGUE, metrics_of
from floodmark.core.metric_names import BYTES, REQUESTS, SECONDS
from floodmark.core.outcomes import Outcome

CEILING = "target.in_service.ceiling"
PEAK = "target.in_service.peak"

MEGABYTE = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A metric of the catalogue under a label. `least`: a difference below it is of no interest, in the metric's unit.

    `of_search`: it is the same for every burst that proves the ceiling, so searches can be compared by it.
    """

    metric: str
    label: str
    least: float
    of_search: bool = False

    @property
    def unit(self) -> str:
        """The metric's unit."""
        return CATALOGUE[self.metric].unit


EXACT = (
    Quantity(metric="target.accept_queue.limit", label="accept queue limit", least=1, of_search=True),
    Quantity(metric="target.inner_accept_queue.limit", label="inner line limit", least=1, of_search=True),
)
"""The kernel's own numbers: the same each time it is asked."""

PROVEN = (
    Quantity(metric="target.processes", label="processes at work", least=1, of_search=True),
    Quantity(metric="target.per_process", label="at once per process", least=1, of_search=True),
)
"""Counted, and certain where a ceiling is proven: then each process was seen full."""

TESTED = (
    Quantity(metric=PEAK, label="most at once", least=1),
    Quantity(metric="http_reqs.rate", label="answered per second", least=0),
    Quantity(metric="http_req_duration.med", label="answer: half within", least=0.0001),
    Quantity(metric="http_req_duration.p95", label="answer: 95 % within", least=0.0001),
    Quantity(metric="http_req_duration.p99", label="answer: 99 % within", least=0.0001),
    Quantity(metric="http_req_connecting.p99", label="connecting: 99 % within", least=0.001),
    Quantity(metric="target.service_time.avg", label="a handler's time", least=0.0001),
    *(
        Quantity(metric=f"requests.{outcome.value}", label=outcome.value.replace("_", " "), least=1)
        for outcome in Outcome
    ),
    Quantity(metric="target.accept_queue.max", label="most in the accept queue", least=1),
    Quantity(metric="target.half_open.max", label="most half open", least=1),
    Quantity(metric="target.connecting.max", label="most connecting", least=1),
    Quantity(metric="target.unread.max", label="most unread", least=1),
    Quantity(metric="target.in_process.max", label="most waiting in process", least=1),
    Quantity(metric="target.listen_overflows", label="accept queue overflows", least=1),
    Quantity(metric="target.memory.before", label="memory before the load", least=1e6),
    Quantity(metric="target.memory.max", label="memory, at most", least=1e6),
)
"""What differs from run to run of the same: only repeats can tell. A millionth of a second and a byte are no news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtOnce:
    """How many at once, as far as one run shows: from `least` to `most`, None: nothing bounds it from above.

    `counted`: by the handlers' own times, which is to the request; else it is right to a tenth or one.
    """

    least: int
    most: int | None
    counted: bool

    @property
    def words(self) -> str:
        """``40``, or ``>= 820`` where no ceiling was proven."""
        return f"{self.least:,}" if self.most is not None else f">= {self.least:,}"


def at_once_of(document: VerdictDocument) -> AtOnce:
    """How many at once a held load has shown."""
    found = document.verdict.in_service
    counted = any(one.method == HANDLER_TIMES and one.value is not None for one in found.estimates)
    if found.ceiling is None:
        return AtOnce(least=found.peak, most=None, counted=counted)
    return AtOnce(least=found.ceiling, most=found.ceiling, counted=counted)


def unit_of(document: VerdictDocument) -> str | None:
    """What runs a request, and whether it is used again: ``thread (reused)``; None: not known."""
    model = document.verdict.model
    if model.unit is None:
        return None
    reused = {True: " (reused)", False: " (new for each)", None: ""}[model.reused]
    return f"{model.unit.value.replace('-', ' ')}{reused}"


def values_of(document: VerdictDocument) -> dict[str, float | None]:
    """Every number of the catalogue by its name."""
    return {name: metric.value for name, metric in metrics_of(document).items()}


def value_words(value: float, unit: str) -> str:
    """A value with its unit, as short as it can be told from its like."""
    if unit == SECONDS:
        return f"{value * 1e3:,.3g} ms" if abs(value) < 1 else f"{value:,.4g} s"
    if unit == BYTES:
        return f"{value / MEGABYTE:,.3g} MB" if abs(value) >= MEGABYTE else f"{value / 1e3:,.3g} kB"
    if unit == REQUESTS or float(value).is_integer():
        return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    return f"{value:,.4g}"
