"""The command lines of a process tree, read once when a watch begins, without secrets. It judges none."""

import re
from collections.abc import Iterable, Mapping

from floodmark.core.command_line import CommandLine
from floodmark_agent.proc import ROOT, read_begin
from floodmark_agent.scrub import scrub
from floodmark_agent.tree import ancestors

# A server with more processes has the same few lines again and again.
MOST_PROCESSES = 64
MOST_LINES = 16
MOST_CHARACTERS = 1000
# Of a line of up to two megabytes (execve(2)): what a person types, and a classpath, are shorter.
_READ_BYTES = 1 << 14
# A child of Python's multiprocessing has a line of its own, and the options are in that of a process above it.
_MULTIPROCESSING = re.compile(r"from multiprocessing\.\w+ import|--multiprocessing-fork")
# Numbers of its descriptors, which only make the lines of a server's workers differ.
_DESCRIPTORS = re.compile(r"(from multiprocessing\.\w+ import (\w+); ?\2)\([\w=, ]*\)")


def read_command_lines(
    roots: Iterable[int], members: Iterable[int], parents: Mapping[int, int], proc: str = ROOT
) -> tuple[CommandLine, ...]:
    """Those of the first processes, then of the others in order of id; each line once. What cannot be read is left out.

    Of a root that multiprocessing has started, those above it too, up to the first that it has not.
    """
    first = list(roots)
    order = dict.fromkeys([*first, *sorted(members)])
    found: dict[tuple[str, bool], list[int]] = {}
    for pid in list(order)[:MOST_PROCESSES]:
        _note(found, pid, proc)
    for pid in first:
        _note_above(found, pid, parents, proc)
    lines = list(found.items())[:MOST_LINES]
    return tuple(CommandLine(words=words, pids=tuple(pids), cut=cut) for (words, cut), pids in lines)


def parse_command_line(content: bytes, *, is_begin: bool = False) -> tuple[str, bool]:
    """``/proc/<pid>/cmdline`` as scrubbed words with one blank between them, and whether it is longer than these.

    `is_begin`: there is more than `content`, so that its last word may be a part of one.
    """
    words = content.decode("utf-8", "backslashreplace").split("\0")
    text = " ".join(" ".join(scrub(words[:-1] if is_begin else words)).split())
    text = _DESCRIPTORS.sub(r"\1(...)", text)
    return text[:MOST_CHARACTERS], is_begin or len(text) > MOST_CHARACTERS


def _note(found: dict[tuple[str, bool], list[int]], pid: int, proc: str) -> str:
    content = read_begin(f"{proc}/{pid}/cmdline", _READ_BYTES)
    # A kernel thread and a zombie have none.
    words, cut = parse_command_line(content or b"", is_begin=len(content or b"") >= _READ_BYTES)
    if words:
        pids = found.setdefault((words, cut), [])
        if pid not in pids:
            pids.append(pid)
    return words


def _note_above(found: dict[tuple[str, bool], list[int]], pid: int, parents: Mapping[int, int], proc: str) -> None:
    words = next((words for (words, _), pids in found.items() if pid in pids), "")
    for above in ancestors(pid, parents):
        if not _MULTIPROCESSING.search(words):
            return
        words = _note(found, above, proc)
