"""Where a line leads, and how long that may take. It opens nothing."""

from dataclasses import dataclass

from floodmark.engine.dial import Dial


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Both timeouts count from the start of an exchange: until connected, and until its answer is complete."""

    dial: Dial
    connect_timeout_s: float
    response_timeout_s: float
