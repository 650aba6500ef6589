"""Why a load was not begun: the last reason, kept where the web UI finds it. It refuses nothing itself."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

_PLACE = "floodmark_refusal"
"""On Locust's environment, which everything of a master shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One line that names the value, the place and the remedy; `at_utc` is when, as a manifest has times."""

    words: str
    at_utc: str


def note_refusal(environment: Any, words: str) -> None:
    """A load was asked for and is not begun, or could not be brought to its end."""
    now_utc = dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds")
    setattr(environment, _PLACE, Refusal(words=words, at_utc=now_utc))


def forget_refusal(environment: Any) -> None:
    """A load begins: what was said of another is old."""
    setattr(environment, _PLACE, None)


def last_refusal(environment: Any) -> Refusal | None:
    """Why the load that was asked for last is not measured; None where it is, or none was asked for."""
    found: Refusal | None = getattr(environment, _PLACE, None)
    return found
