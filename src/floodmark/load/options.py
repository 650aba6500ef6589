"""The burst's options for Locust's command line, start form and environment; no run is started here."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from floodmark.core.address import Address, parse_url
from floodmark.core.errors import UsageError
from floodmark.core.profile import BurstProfile
from floodmark.core.target import RequestSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstOptions:
    """One burst as asked for, checked.

    `folder` None: a new one under ``runs/``. `prepared`: a caller has made it and begun its manifest.
    """

    profile: BurstProfile
    address: Address
    request: RequestSpec
    agents: int
    beat_s: float
    folder: Path | None
    prepared: bool
    judge: bool

    @property
    def path(self) -> str:
        """The request's path with the hold filled in; ``{id}`` is the engine's to fill."""
        return self.request.path.replace("{hold}", f"{self.profile.hold_s:g}")


def add_burst_options(parser: Any) -> None:
    """Adds the options to Locust's parser: each is on the command line, in the start form and in the environment."""
    group = parser.add_argument_group("Floodmark burst", "N requests released together; the server holds each")
    for options, in_form in ((_OPTIONS, True), (_HIDDEN_OPTIONS, False)):
        for flag, variable, kind, default, words in options:
            action = group.add_argument(flag, env_var=variable, type=kind, default=default, help=words)
            # What Locust's own parser.add_argument notes on an action; an argument group does not pass through it.
            action.include_in_web_ui = in_form
            action.is_secret = action.is_required = action.is_multiple = False


_OPTIONS: tuple[tuple[str, str, Callable[[str], Any], Any, str], ...] = (
    ("--requests", "FLOODMARK_REQUESTS", str, "1000", "How many requests in all, split over the workers"),
    ("--within", "FLOODMARK_WITHIN", str, "0", "Seconds over which they are released; 0: all at one instant"),
    ("--hold", "FLOODMARK_HOLD", str, "5", "Seconds the server takes for one request; fills {hold} in the path"),
    ("--timeout", "FLOODMARK_TIMEOUT", str, "", "Seconds one request may take; empty: until the run ends"),
    ("--path", "FLOODMARK_PATH", str, RequestSpec().path, "Path and query; {id} and {hold} are filled in"),
    ("--expect-status", "FLOODMARK_EXPECT_STATUS", str, "200", "The status that counts as an answer"),
    ("--expect-text", "FLOODMARK_EXPECT_TEXT", str, "", "A text that the answer's body must contain"),
)

_HIDDEN_OPTIONS: tuple[tuple[str, str, Callable[[str], Any], Any, str], ...] = (
    (
        "--expect-agents",
        "FLOODMARK_EXPECT_AGENTS",
        int,
        1,
        "Agents to wait for, 0 or 1; 0 measures from this side only",
    ),
    ("--beat", "FLOODMARK_BEAT", float, 0.05, "Seconds between two samples of the agent"),
    ("--run-folder", "FLOODMARK_RUN_FOLDER", str, "", "Where the run is kept; empty: a new folder under runs/"),
    (
        "--run-prepared",
        "FLOODMARK_RUN_PREPARED",
        str,
        "no",
        "yes: the run folder's manifest has been begun by a caller",
    ),
    ("--judge", "FLOODMARK_JUDGE", str, "yes", "yes: print the verdict when the run ends; no: only record"),
)


def read_burst_options(parsed: Any, host: str | None) -> BurstOptions:
    """The options of one run, from the command line or the start form. Raises `UsageError` for what cannot be meant.

    `host` is Locust's own ``--host``: scheme, name and port of the server.
    """
    if not host:
        raise UsageError("--host is missing: give the server's address, as in --host http://127.0.0.1:8000")
    path = str(parsed.path)
    if not path.startswith("/"):
        raise UsageError(f"--path {path!r}: must start with '/'")
    server = parse_url(host)
    if server.path != "/":
        raise UsageError(f"--host {host!r} has a path: give it in --path, as in --path {server.path}")
    return BurstOptions(
        profile=BurstProfile(
            requests=int(_number("--requests", parsed.requests)),
            within_s=_number("--within", parsed.within),
            hold_s=_number("--hold", parsed.hold),
            timeout_s=_number("--timeout", parsed.timeout) if str(parsed.timeout).strip() else None,
        ),
        address=replace(server, path=path),
        request=RequestSpec(
            path=path, status=int(_number("--expect-status", parsed.expect_status)), contains=str(parsed.expect_text)
        ),
        agents=int(parsed.expect_agents),
        beat_s=float(parsed.beat),
        folder=Path(parsed.run_folder) if parsed.run_folder else None,
        prepared=str(parsed.run_prepared) == "yes",
        judge=str(parsed.judge) == "yes",
    )


def _number(flag: str, text: Any) -> float:
    """A form's field is text: what it says is checked here, where the error can name it."""
    with contextlib.suppress(ValueError):
        return float(text)
    raise UsageError(f"{flag} {text!r}: give a number")
