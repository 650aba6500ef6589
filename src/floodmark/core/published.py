"""What a published study saw of a target, as its ``target.toml`` quotes it under ``[suite]``. No figure of ours."""

from dataclasses import dataclass

from floodmark.core.names import prove_plain_name
from floodmark.core.outcomes import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCeiling:
    """A row of table A: how many requests at once. `ceiling` 0: none was served; None with `all`: nothing bounded them.

    `saw` is what the study saw, in words. `differs` says why today's figure is another, where it is.
    """

    row: str
    saw: str = ""
    ceiling: int | None = None
    all: bool = False
    differs: str = ""

    def __post_init__(self) -> None:
        """Refuses what contradicts itself."""
        prove_plain_name("row", self.row)
        if self.all and self.ceiling is not None:
            raise ValueError(f"{self.row}: all and a ceiling: give one of them")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRate:
    """A row of table B: `requests_per_s` with the `mean_s` and `max_s` of a request, over so many `connections`.

    `path` is what is asked for, with `contains` in the body of an answer; it may use ``{id}`` and ``{hold}``. Empty:
    the target's own request. `hold_s` is what a handler takes; None where nobody said. `failures` are the kinds that
    belong to this system under this load. A row without figures is an answer to another row.
    """

    row: str
    saw: str = ""
    requests_per_s: float | None = None
    mean_s: float | None = None
    max_s: float | None = None
    connections: int = 2_000
    path: str = ""
    contains: str = ""
    hold_s: float | None = None
    failures: tuple[str, ...] = ()
    differs: str = ""

    def __post_init__(self) -> None:
        """Refuses what cannot be meant, and a kind of failure that there is not."""
        prove_plain_name("row", self.row)
        prove_failures(self.failures)
        if self.contains and not self.path:
            raise ValueError(f"{self.row}: contains without a path: give both, or neither for the target's request")
        if self.connections < 1:
            raise ValueError(f"{self.row}: connections {self.connections}: give a whole number above 0")
        if self.hold_s is not None and self.hold_s < 0:
            raise ValueError(f"{self.row}: hold_s {self.hold_s:g}: give seconds, or 0 for none")


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteSpec:
    """How a target takes part in the suite. Its burst in table A, where the usual one makes no sense; its rows.

    `within_s` spreads the burst; 0 is one instant. `timeout_s` is how long it is waited for; None: as for any burst,
    three holds.
    """

    requests: int | None = None
    within_s: float = 0.0
    hold_s: float | None = None
    timeout_s: float | None = None
    a: tuple[PublishedCeiling, ...] = ()
    b: tuple[PublishedRate, ...] = ()

    def __post_init__(self) -> None:
        """Refuses a load of nothing, and two rows of one name, which could not be told apart."""
        for name in ("requests", "hold_s", "timeout_s"):
            if (value := getattr(self, name)) is not None and value <= 0:
                raise ValueError(f"{name} {value:g}: give a number above 0")
        if self.within_s < 0:
            raise ValueError(f"within_s {self.within_s:g}: give seconds, or 0 for one instant")
        for rows in (self.a, self.b):
            names = [entry.row for entry in rows]
            if len(set(names)) < len(names):
                raise ValueError(f"row {max(names, key=names.count)!r} is there twice")


def prove_failures(kinds: tuple[str, ...], key: str = "failures") -> None:
    """Raises `ValueError` for a kind of failure that there is not."""
    known = [outcome.value for outcome in Outcome if outcome.failed]
    for kind in kinds:
        if kind not in known:
            raise ValueError(f"{key} has {kind!r}: give kinds of failure: {' '.join(known)}")
