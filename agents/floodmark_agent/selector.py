"""Which processes are meant: by id, systemd unit, command line, or a mark in their environment. It knows no sockets."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from floodmark_agent.proc import ROOT, read_bytes, read_text
from floodmark_agent.tree import ancestors


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """What the user has said about the target. Everything said must hold; `ports` may be all of it.

    `unit` is a part of a process' control group's path, as ``web.service``; `command` is searched for in the command
    line, words joined by blanks; `mark` is a whole ``NAME=VALUE`` of the environment that a process was started with.
    `lead` is the one of the ports that clients are sent to, where not all of them count as that.
    """

    ports: tuple[int, ...] = ()
    pid: int | None = None
    unit: str | None = None
    command: re.Pattern[str] | None = None
    mark: str | None = None
    lead: int | None = None

    @property
    def names_processes(self) -> bool:
        """True where processes are named, not only ports."""
        return not (self.pid is None and self.unit is None and self.command is None and self.mark is None)

    def led_by(self, port: int | None) -> "Selector":
        """The same with one of the ports as the first, and the only one that clients are sent to."""
        if port not in self.ports:
            return self
        return replace(self, ports=(port, *(other for other in self.ports if other != port)), lead=port)

    @property
    def words(self) -> str:
        """The processes meant, as a part of a sentence."""
        parts = [
            None if self.pid is None else f"with id {self.pid}",
            None if self.unit is None else f"of unit {self.unit}",
            None if self.command is None else f"with a command line like {self.command.pattern!r}",
            None if self.mark is None else f"marked {self.mark}",
        ]
        return "process " + ", ".join(part for part in parts if part)

    def matching(self, pids: Iterable[int], proc: str = ROOT) -> set[int]:
        """Those of `pids` that are meant. One that cannot be looked into is not."""
        return {pid for pid in pids if self._matches(pid, f"{proc}/{pid}")}

    def others_than_us(self, parents: dict[int, int], own_pid: int | None = None) -> set[int]:
        """All processes but this one and those above it: their command lines repeat what is searched for.

        A process named by its id may be any.
        """
        own = os.getpid() if own_pid is None else own_pid
        return set(parents) if self.pid is not None else parents.keys() - {own, *ancestors(own, parents)}

    def _matches(self, pid: int, folder: str) -> bool:
        if self.pid is not None and pid != self.pid:
            return False
        if self.unit is not None and self.unit not in groups_of(read_text(f"{folder}/cgroup") or ""):
            return False
        if self.command is not None and not self.command.search(command_line(read_bytes(f"{folder}/cmdline") or b"")):
            return False
        return self.mark is None or os.fsencode(self.mark) in (read_bytes(f"{folder}/environ") or b"").split(b"\0")


def groups_of(text: str) -> set[str]:
    """The names on the paths in ``/proc/<pid>/cgroup``: slices, units, containers."""
    return {name for line in text.splitlines() for name in line.split(":", 2)[-1].split("/") if name}


def command_line(content: bytes) -> str:
    """``/proc/<pid>/cmdline`` as one line; empty for a kernel thread or a zombie."""
    return content.replace(b"\0", b" ").decode("utf-8", "backslashreplace").strip()
