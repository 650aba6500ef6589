"""How much a command says: --quiet, --verbose, and what goes to stderr meanwhile. What is said comes from elsewhere."""

import contextlib
import logging
import shlex
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from floodmark.analysis.summary import summary_of
from floodmark.campaign.plan import RunPlan
from floodmark.cli import groups
from floodmark.core.errors import UsageError
from floodmark.core.text_tail import TextTail
from floodmark.report.words import duration, printable, profile_words
from floodmark_agent.scrub import scrub

ROOMS = ("floodmark", "floodmark_agent", "floodmark_deploy")
LOGS = ("*.log", "*/*.log", "*/*/*.log", "*/*/*/*.log")
"""What master, workers, agent and target print, in a run's folder; in a suite's and a search's further down."""

LOOK_EVERY_S = 0.25

QuietOption = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Print the verdict's sentence alone, and nothing while it runs.",
        rich_help_panel=groups.RUN,
    ),
]
VerboseOption = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Say on stderr what is started with which settings, and what each process logs.",
        rich_help_panel=groups.RUN,
    ),
]


class Loudness(Enum):
    """How much is said."""

    QUIET = "quiet"
    NORMAL = "normal"
    VERBOSE = "verbose"


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """What a command says beside its result."""

    loudness: Loudness
    err: Console

    @property
    def quiet(self) -> bool:
        """Only the verdict's sentence is to be printed."""
        return self.loudness is Loudness.QUIET

    @contextlib.contextmanager
    def listening(self, folder: Path | None = None) -> Iterator[None]:
        """With --verbose all that the rooms log is said, and what is appended to logs below `folder` meanwhile."""
        if self.loudness is not Loudness.VERBOSE:
            yield
            return
        handler = _Handler(self.say)
        loggers = [logging.getLogger(name) for name in ROOMS]
        for logger in loggers:
            logger.addHandler(handler)
            logger.setLevel(logging.DEBUG)
        try:
            with _followed(folder, self.say) if folder else contextlib.nullcontext():
                yield
        finally:
            for logger in loggers:
                logger.removeHandler(handler)
                logger.setLevel(logging.NOTSET)

    def say(self, words: str) -> None:
        """A line on stderr that stays; on a terminal above what is drawn there."""
        self.err.print(Text(printable(words), style="dim"), soft_wrap=True)

    def detail(self, words: str) -> None:
        """The same, with --verbose only."""
        if self.loudness is Loudness.VERBOSE:
            self.say(words)


def talk_of(*, quiet: bool, verbose: bool) -> Talk:
    """How much to say. Raises `UsageError` where both are asked for."""
    if quiet and verbose:
        raise UsageError("--quiet and --verbose: give one of them")
    loudness = Loudness.QUIET if quiet else Loudness.VERBOSE if verbose else Loudness.NORMAL
    # FORCE_COLOR makes a terminal of any file: a log that is drawn over is no log.
    force = None if sys.stderr.isatty() else False
    return Talk(loudness=loudness, err=Console(stderr=True, quiet=quiet, force_terminal=force, highlight=False))


def out_console() -> Console:
    """stdout, for results: a number in them has no colour for being one."""
    return Console(highlight=False)


def progress(words: str) -> None:
    """What goes on now, on stderr."""
    print(f"{words} ...", file=sys.stderr)


def settings_words(plan: RunPlan) -> str:
    """What a run is begun with, in one line; of the target's own settings only which file has them."""
    named = {
        "target": plan.name,
        "load": profile_words(summary_of(plan.profile())),
        "request": plan.request.path,
        "answer": f"status {plan.request.status}",
        "workers": str(plan.workers),
        "sources": plan.source,
        "beat": duration(plan.beat_s),
        "target file": plan.spec.folder if plan.spec else "",
        "run folder": str(plan.folder),
    }
    return "; ".join(f"{name}: {value}" for name, value in named.items() if value)


class _Handler(logging.Handler):
    """Says each record as a line; command lines without what may be secret."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.args, tuple):
            record.args = tuple(shlex.join(scrub(arg)) if isinstance(arg, tuple) else arg for arg in record.args)
        self._say(f"{record.name}: {record.getMessage()}")


@contextlib.contextmanager
def _followed(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Says each line that is appended to the logs below the folder, with its file's name; the last ones at the end."""
    tails: dict[Path, TextTail] = {}

    def look() -> None:
        for path in sorted(path for pattern in LOGS for path in folder.glob(pattern)):
            for line in tails.setdefault(path, TextTail(path)).new_lines():
                say(f"{path.relative_to(folder)}: {line}")

    over = threading.Event()

    def follow() -> None:
        while not over.wait(LOOK_EVERY_S):
            look()

    thread = threading.Thread(target=follow, name="logs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        look()
