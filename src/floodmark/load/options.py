"""A profile's options for Locust's command line, start form and environment; no run is started here."""

import argparse
import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from floodmark.core.address import Address, parse_url
from floodmark.core.asked import DEFAULTS, FLAGS, Asked, profile_of
from floodmark.core.errors import ThresholdError, UsageError
from floodmark.core.goals import Goals, goals_of
from floodmark.core.profile import Profile
from floodmark.core.request_spec import RequestSpec
from floodmark.core.source import parse_sources
from floodmark.core.threshold_grammar import parse_thresholds
from floodmark.load.outputs import add_output_options


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """One run as asked for, checked.

    `folder` None: a new one under ``runs/``. `prepared`: a caller has made it and begun its manifest. `sources` and
    `verify` as in `LoadOrder`.
    """

    profile: Profile
    address: Address
    request: RequestSpec
    sources: tuple[str, ...] = ()
    verify: bool = True
    agents: int
    beat_s: float
    folder: Path | None
    prepared: bool
    judge: bool
    goals: Goals = field(default_factory=Goals)

    @property
    def sent_request(self) -> RequestSpec:
        """The request with the hold filled in; ``{id}`` is the engine's to fill."""
        return replace(self.request, path=self.request.path.replace("{hold}", f"{self.profile.hold_s:g}"))


class _Offered(tuple[str, ...]):
    """What the start form offers; what else is given is refused where it is read, with the remedy."""

    __slots__ = ()

    def __contains__(self, _: object) -> bool:
        return True


class _Option(NamedTuple):
    flag: str
    variable: str
    words: str
    default: Any = ""
    kind: Callable[[str], Any] = str
    choices: _Offered | None = None


_NUMBERS = {
    "requests": _Option("--requests", "FLOODMARK_REQUESTS", "How many requests in all, split over the workers"),
    "within_s": _Option("--within", "FLOODMARK_WITHIN", "Seconds over which they are released; 0: all at one instant"),
    "connections": _Option("--connections", "FLOODMARK_CONNECTIONS", "Connections at once, split over the workers"),
    "rate": _Option("--rate", "FLOODMARK_RATE", "Requests per second over all workers, whatever the answers do"),
    "duration_s": _Option("--duration", "FLOODMARK_DURATION", "Seconds that the load lasts"),
    "first": _Option(
        "--first", "FLOODMARK_FIRST", "Requests of the first burst; each one after has four times as many"
    ),
    "hold_s": _Option("--hold", "FLOODMARK_HOLD", "Seconds the server takes for one request; fills {hold} in the path"),
    "timeout_s": _Option("--timeout", "FLOODMARK_TIMEOUT", "Seconds one request may take from its planned release"),
}
"""By the profile's own names, in the order of the start form; which of them a kind has, and with which default, is
`DEFAULTS`'."""

_OWN_WORDS = {
    ("search", "requests"): "Requests of the largest burst",
    ("arrivals", "connections"): "The most connections at once; a request that finds all of them busy waits for one",
    ("burst", "timeout_s"): "Seconds one request may take; empty: until the run ends",
    ("ramp", "timeout_s"): "Seconds one request may take; empty: until the run ends",
    ("search", "timeout_s"): "Seconds one request may take; empty: until the burst ends",
}

_REQUEST = (
    _Option("--path", "FLOODMARK_PATH", "Path and query; {id} and {hold} are filled in", RequestSpec().path),
    _Option("--expect-status", "FLOODMARK_EXPECT_STATUS", "The status that counts as an answer", "200"),
    _Option("--expect-text", "FLOODMARK_EXPECT_TEXT", "A text that the answer's body must contain"),
    _Option("--expect-match", "FLOODMARK_EXPECT_MATCH", "A regular expression that must be found in the body"),
    _Option("--source", "FLOODMARK_SOURCE", "Addresses to send from, as in 127.0.0.2-127.0.0.9,10.1.0.0/28"),
    _Option(
        "--verify",
        "FLOODMARK_VERIFY",
        "With https: yes, or no to take any certificate",
        "yes",
        choices=_Offered(("yes", "no")),
    ),
    _Option(
        "--expect-agents",
        "FLOODMARK_EXPECT_AGENTS",
        "Agents to wait for; the one that watches the load's port is used. 0 measures from this side only",
        "1",
    ),
)

_THRESHOLD = "FLOODMARK_THRESHOLD"

_GATE = (
    _Option(
        "--threshold",
        _THRESHOLD,
        "What the run is to meet, as in 'http_req_duration: p(95)<200'; several with && between them, or said again",
    ),
    _Option(
        "--abort-on-fail",
        "FLOODMARK_ABORT_ON_FAIL",
        "yes: end the load as soon as a threshold is missed for sure",
        "no",
        choices=_Offered(("no", "yes")),
    ),
    _Option("--abort-delay", "FLOODMARK_ABORT_DELAY", "Seconds of the load in which no threshold ends it", "0"),
)

_HIDDEN = (
    _Option("--beat", "FLOODMARK_BEAT", "Seconds between two samples of the agent", 0.05, float),
    _Option("--run-folder", "FLOODMARK_RUN_FOLDER", "Where the run is kept; empty: a new folder under runs/"),
    _Option(
        "--run-prepared", "FLOODMARK_RUN_PREPARED", "yes: the run folder's manifest has been begun by a caller", "no"
    ),
    _Option("--judge", "FLOODMARK_JUDGE", "yes: print the verdict when the run ends; no: only record", "yes"),
)


def add_load_options(kind: str, parser: Any) -> None:
    """Adds a kind's options to Locust's parser: each is on the command line, in the start form and in the environment.

    In the start form every field is text, and what it says is checked when a run begins.
    """
    group = parser.add_argument_group(f"Floodmark {kind}", "what is sent, from where, and which answer counts")
    for options, in_form in (((*_numbers_of(kind), *_REQUEST, *_GATE), True), (_HIDDEN, False)):
        for option in options:
            action = group.add_argument(
                option.flag,
                env_var=option.variable,
                action=_Joined if option.flag == "--threshold" else "store",
                type=option.kind,
                default=option.default,
                help=option.words,
                choices=option.choices,
            )
            # What Locust's own parser.add_argument notes on an action; an argument group does not pass through it.
            action.include_in_web_ui = in_form
            action.is_secret = action.is_required = action.is_multiple = False
    add_output_options(group)


class _Joined(argparse.Action):
    """Thresholds, which may be said again: all are one text then, as in the start form. What is none is refused."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:  # noqa: ARG002
        try:
            texts = [] if _is_blank_variable(values) else [one.text for one in parse_thresholds(values)]
        except ThresholdError as error:
            raise argparse.ArgumentError(self, str(error)) from None
        known = getattr(namespace, self.dest)
        setattr(namespace, self.dest, " && ".join([known, *texts] if known else texts))


def _is_blank_variable(text: str) -> bool:
    """An empty variable is one that is not set. An empty text on the command line is a limit that got lost."""
    return not text.strip() and not os.environ.get(_THRESHOLD, "not set").strip()


def read_load_options(kind: str, parsed: Any, host: str | None) -> LoadOptions:
    """The options of one run, from the command line or the start form. Raises `UsageError` for what cannot be meant.

    `host` is Locust's own ``--host``: scheme, name and port of the server.
    """
    request = _request(parsed)
    return LoadOptions(
        profile=profile_of(kind, _asked(kind, parsed)),
        address=replace(_server(host), path=request.path),
        request=request,
        sources=parse_sources(_text(parsed.source)),
        verify=_is_yes("--verify", parsed.verify),
        agents=_agents(_text(parsed.expect_agents)),
        beat_s=float(parsed.beat),
        folder=Path(parsed.run_folder) if parsed.run_folder else None,
        prepared=_is_yes("--run-prepared", parsed.run_prepared, default="no"),
        judge=_is_yes("--judge", parsed.judge),
        goals=goals_of(
            kind,
            [text] if (text := _text(parsed.threshold)) else [],
            abort_on_fail=_is_yes("--abort-on-fail", parsed.abort_on_fail, default="no"),
            abort_delay_s=_number("--abort-delay", _text(parsed.abort_delay) or "0"),
        ),
    )


def wants_verdict(parsed: Any) -> bool:
    """The master is to judge its runs; so it is where `--judge` is neither yes nor no, which is refused."""
    return _text(parsed.judge).lower() != "no"


def _numbers_of(kind: str) -> list[_Option]:
    options = []
    for name, option in _NUMBERS.items():
        if name in DEFAULTS[kind]:
            words = _OWN_WORDS.get((kind, name), option.words)
            options.append(option._replace(words=words, default=_shown(DEFAULTS[kind][name])))
    return options


def _shown(default: float | None) -> str:
    if default is None:
        return ""
    return str(default) if isinstance(default, int) else f"{default:g}"


def _asked(kind: str, parsed: Any) -> Asked:
    """The numbers that were given: an empty field is one that was not."""
    wholes = ("requests", "connections", "first")
    given: dict[str, Any] = {}
    for name in DEFAULTS[kind]:
        flag = FLAGS[name]
        if text := _text(getattr(parsed, flag.removeprefix("--"))):
            given[name] = _whole(flag, text) if name in wholes else _number(flag, text)
    return Asked(**given)


def _agents(text: str) -> int:
    number = _whole("--expect-agents", text or "1")
    if number < 0:
        raise UsageError(f"--expect-agents {text}: give 0 or more; 0 measures from this side only")
    return number


def _server(host: str | None) -> Address:
    if not host:
        raise UsageError("--host is missing: give the server's address, as in --host http://127.0.0.1:8000")
    server = parse_url(host)
    if server.path != "/":
        raise UsageError(f"--host {host!r} has a path: give it in --path, as in --path {server.path}")
    return server


def _request(parsed: Any) -> RequestSpec:
    status = _text(parsed.expect_status)
    changes: dict[str, Any] = {
        "--path": {"path": _text(parsed.path) or RequestSpec().path},
        "--expect-status": {"status": _whole("--expect-status", status)} if status else {},
        "--expect-text": {"contains": str(parsed.expect_text)},
        "--expect-match": {"matches": str(parsed.expect_match)},
    }
    request = RequestSpec()
    for flag, change in changes.items():
        try:
            request = replace(request, **change)
        except ValueError as error:
            raise UsageError(f"{flag}: {error}") from None
    return request


def _text(value: Any) -> str:
    return str(value).strip()


def _is_yes(flag: str, value: Any, *, default: str = "yes") -> bool:
    text = _text(value).lower() or default
    if text not in ("yes", "no"):
        raise UsageError(f"{flag} {value!r}: give yes or no")
    return text == "yes"


def _whole(flag: str, text: str) -> int:
    number = _number(flag, text)
    if not number.is_integer():
        raise UsageError(f"{flag} {text!r}: give a whole number")
    return int(number)


def _number(flag: str, text: str) -> float:
    """A form's field is text: what it says is checked here, where the error can name it."""
    with contextlib.suppress(ValueError):
        return float(text)
    raise UsageError(f"{flag} {text!r}: give a number")
