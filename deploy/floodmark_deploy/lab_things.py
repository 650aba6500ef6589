"""The things that a lab makes on this machine: whether each is there, and taking it away. Makes none of them."""

import contextlib
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from floodmark.core.errors import LabError
from floodmark_deploy.lab_command import MARK_VARIABLE, run
from floodmark_deploy.processes import PROC, ProcessNote, Wanted, read_process, send_signal

NAMESPACES = Path("/run/netns")
"""Where ``ip netns`` keeps the names (ip-netns(8))."""

INTERFACES = Path("/sys/class/net")

GONE_TIMEOUT_S = 20.0
"""SIGKILL works at once; the kernel takes a namespace with thousands of sockets apart within seconds."""

PAUSE_S = 0.02

RULE_PREFERENCE = "1981"
"""Of the rule that lets nothing out of a lab: before the machine's own routes, and named after the range."""


class Kind(StrEnum):
    """In the order in which they are taken away: what runs, what it ran in, what it has written."""

    PROCESSES = "processes"
    CGROUP = "cgroup"
    RULE = "rule"
    INTERFACE = "interface"
    NAMESPACE = "namespace"
    FOLDER = "folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One thing. `name` is a lab's name for its processes, a path below the hierarchies for a cgroup."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        """``namespace floodmark-lab-master``, as status and errors name it."""
        return f"{self.kind.value} {self.name}"


def is_there(thing: Thing) -> bool:
    """Whether anything of it is left."""
    match thing.kind:
        case Kind.PROCESSES:
            return bool(marked(thing.name).find())
        case Kind.CGROUP:
            return any(folder.is_dir() for folder in cgroup_folders(thing.name))
        case Kind.NAMESPACE:
            return os.path.lexists(NAMESPACES / thing.name)
        case Kind.RULE:
            return bool(_rules(thing.name))
        case Kind.INTERFACE:
            return os.path.lexists(INTERFACES / thing.name)
        case Kind.FOLDER:
            return os.path.lexists(thing.name)


def take_away(thing: Thing) -> None:
    """Removes it with all that is in it; harmless where it is gone. Raises `LabError` for what does not go."""
    match thing.kind:
        case Kind.PROCESSES:
            _end(marked(thing.name).find, str(thing))
        case Kind.CGROUP:
            _remove_cgroup(thing.name)
        case Kind.NAMESPACE:
            _remove_namespace(thing.name)
        case Kind.RULE:
            for _ in _rules(thing.name):
                run(["ip", "rule", "delete", *rule_words(thing.name)])
        case Kind.INTERFACE:
            _remove_interface(thing)
        case Kind.FOLDER:
            _remove_folder(Path(thing.name))


def left_on_the_machine(name: str, prefix: str, bridge: str, cgroup: str) -> Iterator[Thing]:
    """What is marked as the lab's and is there, whatever its files say: they may be lost."""
    yield from (thing for thing in (Thing(kind=Kind.PROCESSES, name=name),) if is_there(thing))
    yield from (thing for thing in (Thing(kind=Kind.CGROUP, name=cgroup),) if is_there(thing))
    for path in sorted(NAMESPACES.glob(f"{prefix}*")):
        yield Thing(kind=Kind.NAMESPACE, name=path.name)
    if _rules(bridge):
        yield Thing(kind=Kind.RULE, name=bridge)
    for path in sorted(INTERFACES.iterdir()):
        if path.name == bridge or path.name.startswith(f"{bridge}-"):
            yield Thing(kind=Kind.INTERFACE, name=path.name)


def rule_words(interface: str) -> list[str]:
    """What comes in here goes nowhere but to this machine itself, whatever it forwards else (ip-rule(8)).

    The table of the machine's own addresses is asked before (preference 0), its routes after (32766).
    """
    return ["preference", RULE_PREFERENCE, "iif", interface, "prohibit"]


def _rules(interface: str) -> list[str]:
    return [rule["iif"] for rule in json.loads(run(["ip", "-json", "rule", "show"])) if rule.get("iif") == interface]


def marked(name: str) -> Wanted:
    """This machine's side of a lab: keepers, systemd-nspawn, debootstrap."""
    return Wanted(marks=frozenset({f"{MARK_VARIABLE}={name}"}), skip=frozenset({os.getpid()}))


def cgroup_folders(name: str) -> tuple[Path, ...]:
    """A cgroup in each hierarchy that systemd uses: the unified one, and version 1's ``name=systemd``."""
    return tuple(root / name for root in cgroup_roots((PROC / "self/mountinfo").read_text(encoding="utf-8")))


def cgroup_roots(mountinfo: str) -> tuple[Path, ...]:
    """The mount points out of /proc/self/mountinfo (proc(5)): each line's optional fields end in a dash."""
    roots = []
    for line in mountinfo.splitlines():
        head, _, tail = line.partition(" - ")
        kind, _, options = [*tail.split(" ", 2), "", ""][:3]
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(",")):
            roots.append(Path(head.split()[4]))
    return tuple(roots)


def _remove_cgroup(name: str) -> None:
    for folder in cgroup_folders(name):
        _end(partial(_members, folder), f"cgroup {folder}")
        deadline_s = time.monotonic() + GONE_TIMEOUT_S
        while not _gone(folder):  # the kernel counts a dead process until its parent has seen it
            if time.monotonic() > deadline_s:
                raise LabError(f"the cgroup {folder} cannot be removed: something in it is still alive")
            time.sleep(PAUSE_S)
        if folder.parent.name == name.partition("/")[0]:
            with contextlib.suppress(OSError):  # another lab is in it, or it is gone
                folder.parent.rmdir()


def _gone(folder: Path) -> bool:
    """Removes a cgroup and those in it, the innermost first; False where one does not go yet."""
    try:
        for path, _, _ in os.walk(folder, topdown=False):
            Path(path).rmdir()
    except OSError:
        return not folder.exists()
    return True


def _members(folder: Path) -> tuple[ProcessNote, ...]:
    """Every living process of a cgroup and of those in it. A fork meanwhile is seen at the next look."""
    pids = []
    for path in (folder, *folder.rglob("*")) if folder.is_dir() else ():
        if path.is_dir():
            try:
                pids += (path / "cgroup.procs").read_text(encoding="ascii").split()
            except OSError:  # removed meanwhile
                continue
    # 0 is a process of a namespace that cannot be seen from here.
    return tuple(note for pid in pids if pid != "0" and (note := read_process(int(pid))) is not None)


def _remove_interface(thing: Thing) -> None:
    """The kernel removes some by itself, a while after their namespace: that may be between two lines here."""
    try:
        if is_there(thing):
            run(["ip", "link", "delete", thing.name])
    except LabError:
        if is_there(thing):
            raise


def _remove_namespace(name: str) -> None:
    """With every process in it: whoever lives there keeps the namespace, though its name is gone."""
    path = NAMESPACES / name
    if not os.path.lexists(path):
        return
    _end(partial(inhabitants, path), f"namespace {name}")
    run(["ip", "netns", "delete", name])


def inhabitants(namespace: Path) -> tuple[ProcessNote, ...]:
    """The living processes of a network namespace."""
    wanted = _identity(namespace)
    pids = (int(path.name) for path in PROC.iterdir() if path.name.isdecimal())
    inside = (pid for pid in pids if wanted is not None and _identity(PROC / str(pid) / "ns/net") == wanted)
    return tuple(note for pid in inside if (note := read_process(pid)) is not None)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:  # it has ended meanwhile
        return None
    return stat.st_dev, stat.st_ino


def _remove_folder(folder: Path) -> None:
    """Whatever is mounted beneath goes first, so that no other file system's files are removed."""
    if not os.path.lexists(folder):
        return
    for mount in mounts_below(folder):
        run(["umount", "--lazy", mount])
    if left := mounts_below(folder):
        raise LabError(f"{left[0]} is still mounted, so {folder} is kept: umount {left[0]}")
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise LabError(f"{folder} cannot be removed: {error.filename}: {error.strerror}") from None


def mounts_below(folder: Path) -> list[str]:
    """The mount points at or beneath a folder, the innermost first."""
    text = (PROC / "self/mountinfo").read_text(encoding="utf-8")
    points = (_unescaped(line.split()[4]) for line in text.splitlines())
    return sorted((point for point in points if Path(point).is_relative_to(folder.resolve())), reverse=True)


def _unescaped(point: str) -> str:
    """The kernel writes blanks, tabs, line ends and backslashes in octal (proc(5))."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), point)


def _end(find: Callable[[], tuple[ProcessNote, ...]], what: str) -> None:
    """SIGKILL until nobody is found: nothing in a lab is worth a farewell."""
    deadline_s = time.monotonic() + GONE_TIMEOUT_S
    while found := find():
        if time.monotonic() > deadline_s:
            raise LabError(f"{what}: not even SIGKILL ends {', '.join(map(str, found))}; the kernel holds it")
        for note in found:
            send_signal(note, signal.SIGKILL)
        time.sleep(PAUSE_S)
