"""Where targets are found and what they lack here. Reads folders; starts nothing."""

import contextlib
import difflib
import importlib.metadata
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import floodmark
from floodmark.core.errors import PlanError, UsageError
from floodmark.core.target import FILE_NAME, TargetSpec, read_target
from floodmark_deploy.own_network import REMEDY, may_have_own_network

FOLDER_VARIABLE = "FLOODMARK_TARGETS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """One thing that a target needs and this machine lacks; `remedy` is the command that gets it."""

    kind: str
    name: str
    remedy: str

    def __str__(self) -> str:
        """``the executable 'go', which is not installed here: apt-get install go``."""
        where = "this process has not" if self.kind == "right" else "is not installed here"
        return f"the {self.kind} {self.name!r}, which {where}: {self.remedy}"


def roots() -> tuple[Path, ...]:
    """Where ``targets/`` and ``locustfiles/`` may be: the checkout first, then the copy that the wheel brought."""
    here = Path(__file__).resolve()
    checkout = (here.parents[2],) if here.parents[1].name == "deploy" else ()
    return (*checkout, Path(floodmark.__file__).resolve().parent / "shipped")


def targets_folder() -> Path:
    """The zoo: FLOODMARK_TARGETS if set, else the checkout's ``targets/``, else the copy that the wheel brought."""
    if named := os.environ.get(FOLDER_VARIABLE):
        folder = Path(named)
        if not folder.is_dir():
            raise UsageError(f"{FOLDER_VARIABLE}={named}: no such folder; unset it or name a folder of targets")
        return folder
    return shipped_folder()


def shipped_folder() -> Path:
    """The zoo that comes with Floodmark, whatever FLOODMARK_TARGETS says. Raises `UsageError` where there is none."""
    for root in roots():
        if (root / "targets").is_dir():
            return root / "targets"
    raise UsageError(f"no targets were installed with Floodmark; set {FOLDER_VARIABLE} to a folder of targets")


def list_targets(folder: Path | None = None) -> tuple[TargetSpec, ...]:
    """Every target of the zoo by name; folders that begin with ``_`` hold what targets share."""
    folder = folder or targets_folder()
    return tuple(read_target(folder / name) for name in target_names(folder))


def known_servers() -> tuple[TargetSpec, ...]:
    """Targets that say how to recognise their server: those of the zoo in use, then the shipped ones, each by name.

    A shipped one whose name is there already is left out. Without a zoo none, and no unreadable one.
    """
    found: dict[str, TargetSpec] = {}
    for folder_of in (targets_folder, shipped_folder):
        with contextlib.suppress(UsageError):
            for spec in _readable(folder_of()):
                if spec.recognise.command:
                    found.setdefault(spec.name, spec)
    return tuple(found.values())


def _readable(folder: Path) -> Iterator[TargetSpec]:
    for name in target_names(folder):
        with contextlib.suppress(PlanError):
            yield read_target(folder / name)


def target_names(folder: Path) -> tuple[str, ...]:
    """The names alone, so that one unreadable target does not hide the others."""
    return tuple(sorted(path.parent.name for path in folder.glob(f"[!_.]*/{FILE_NAME}")))


def find_target(name: str, folder: Path | None = None) -> TargetSpec:
    """The target with this name. Raises `UsageError` that offers the nearest name."""
    folder = folder or targets_folder()
    names = target_names(folder)
    if name in names:
        return read_target(folder / name)
    near = difflib.get_close_matches(name, names, n=1)
    offer = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(f"no target {name!r}: {offer}`floodmark targets` lists them, --target-file takes one of your own")


def availability(spec: TargetSpec) -> tuple[Missing, ...]:
    """What the target needs and this machine lacks; empty where it can start."""
    needs = spec.needs
    kinds: tuple[tuple[str, tuple[str, ...], Callable[[str], bool]], ...] = (
        ("Python distribution", needs.distributions, _has_distribution),
        ("executable", needs.executables, lambda name: find_executable(name) is not None),
        ("file", needs.files, _has_file),
    )
    missing = [
        Missing(kind=kind, name=" or ".join(names), remedy=needs.install)
        for kind, entries, is_here in kinds
        for names in map(_alternatives, entries)
        if not any(map(is_here, names))
    ]
    if spec.limits.sysctl and not may_have_own_network():
        missing.append(Missing(kind="right", name="to make a network namespace", remedy=REMEDY))
    return tuple(missing)


def _alternatives(entry: str) -> list[str]:
    return [name.strip() for name in entry.split("|")]


def _has_file(name: str) -> bool:
    """A full path is that of any file; a name alone is that of a program on PATH."""
    return Path(name).exists() if "/" in name else find_executable(name) is not None


def find_executable(name: str) -> str | None:
    """The path of an executable: scripts beside this interpreter first, then PATH."""
    return shutil.which(name, path=executable_path())


def executable_path() -> str:
    """PATH for targets: a virtual environment's scripts are found without activating it."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def _has_distribution(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
