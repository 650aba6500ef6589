"""What several benchmarks need: cores, open files, a child process on a core, medians, bars. It measures nothing."""

import multiprocessing
import os
import platform
import resource
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from multiprocessing.connection import Connection as Pipe
from typing import Any

ANSWER_TIMEOUT_S = 120.0
"""A server that says nothing for so long is dead, or so slow that a figure would say nothing."""

SEPARATOR = " | "
"""Between the parts of a line that says a bar."""


def cores() -> tuple[int, int]:
    """The server's core, and the load's; the same where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def raise_open_files() -> int:
    """Raises this process' limit as far as it goes; its children have it, too."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _pinned(target: Callable[..., None], core: int, pipe: Pipe, words: tuple[Any, ...]) -> None:
    os.sched_setaffinity(0, {core})
    target(pipe, *words)


@contextmanager
def child(target: Callable[..., None], core: int, *words: Any) -> Iterator[tuple[Pipe, int]]:
    """Runs ``target(pipe, *words)`` on a core as a child process: the other end of its pipe, and its process id."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_pinned, args=(target, core, theirs, words), daemon=True)
    process.start()
    try:
        yield ours, process.pid or 0
    finally:
        process.kill()
        process.join()


def answer_of(pipe: Pipe, timeout_s: float = ANSWER_TIMEOUT_S) -> Any:
    """The next message. Ends the benchmark where none comes."""
    if not pipe.poll(timeout_s):
        sys.exit(f"no word from the other process within {timeout_s:g} s")
    return pipe.recv()


def spread(figures: Sequence[float], unit: str = "", digits: int = 3) -> str:
    """The median and the range."""
    middle, least, most = statistics.median(figures), min(figures), max(figures)
    return f"{middle:,.{digits}f}{unit} ({least:,.{digits}f}-{most:,.{digits}f})"


def say_bar(figure: str, *, against: str, found: str, bar: str, is_met: bool) -> bool:
    """Prints a figure with its bar and whether that is met, as `all.py` reads it; gives the last back."""
    print(SEPARATOR.join(["met" if is_met else "MISSED", figure, against, found, bar]), flush=True)
    return is_met


def machine(*distributions: str) -> str:
    """What the figures were made with."""
    names = [f"{name} {version(name)}" for name in distributions]
    return ", ".join(
        [f"Linux {platform.release()}", f"{os.cpu_count()} CPUs", f"Python {platform.python_version()}", *names]
    )
