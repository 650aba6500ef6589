"""What a user asked of a load, option by option, and the profile that makes. Both command lines go through here."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from floodmark.core.errors import UsageError
from floodmark.core.profile import (
    PROFILE_KINDS,
    ArrivalsProfile,
    BurstProfile,
    ClosedProfile,
    Profile,
    SearchProfile,
)

MOST_CONNECTIONS = 10_000
"""For an arrival rate that says nothing else: what one worker can hold where 20,000 files may be open."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "burst": {"requests": 1_000, "within_s": 0.0, "hold_s": 5.0, "timeout_s": None},
    "ramp": {"requests": 1_000, "within_s": 30.0, "hold_s": 5.0, "timeout_s": None},
    "closed": {"connections": 100, "duration_s": 10.0, "hold_s": 0.1, "timeout_s": 2.0},
    "arrivals": {
        "rate": 100.0,
        "duration_s": 10.0,
        "hold_s": 0.1,
        "timeout_s": 10.0,
        "connections": MOST_CONNECTIONS,
    },
    "search": {"first": 16, "requests": 10_000, "hold_s": 2.0, "timeout_s": None},
}
"""The options that each kind of profile has, and what they are where nobody says: the closed one's are wrk's."""

FLAGS = {
    "requests": "--requests",
    "within_s": "--within",
    "hold_s": "--hold",
    "timeout_s": "--timeout",
    "connections": "--connections",
    "rate": "--rate",
    "duration_s": "--duration",
    "first": "--first",
}
"""How each option is spelled on a command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options that were given; None for those that were not."""

    requests: int | None = None
    within_s: float | None = None
    hold_s: float | None = None
    timeout_s: float | None = None
    connections: int | None = None
    rate: float | None = None
    duration_s: float | None = None
    first: int | None = None


def profile_of(kind: str, asked: Asked) -> Profile:
    """The profile of a kind with these options. Raises `UsageError` for an option that this kind does not have."""
    if kind not in DEFAULTS:
        raise UsageError(f"--profile {kind!r}: there are {', '.join(PROFILE_KINDS)}")
    given = {name: value for name, value in dataclasses.asdict(asked).items() if value is not None}
    if strange := [name for name in given if name not in DEFAULTS[kind]]:
        known = ", ".join(FLAGS[name] for name in DEFAULTS[kind])
        raise UsageError(f"{FLAGS[strange[0]]}: the {kind} profile has none; it has {known}")
    values = DEFAULTS[kind] | given
    if kind == "closed":
        return ClosedProfile(**values)
    if kind == "arrivals":
        return ArrivalsProfile(**values)
    if kind == "search":
        return SearchProfile(most=values.pop("requests"), **values)
    return BurstProfile(kind=kind, **values)
