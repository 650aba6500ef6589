"""All that a host must install, as wheels in one archive, made here: the hosts need no network. Installs nothing."""

import contextlib
import fcntl
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlparse

from floodmark.core.errors import ClusterError, UsageError

NAME = "floodmark"

EXTRAS = ("agent", "control", "load", "report", "target", "zoo")

GLIBC_MINORS = range(17, 36)
"""manylinux_2_17 is the oldest that wheels are built for today; 2.35 is Ubuntu 22.04's, 2.36 Debian 12's."""

DOWNLOAD_TIMEOUT_S = 900.0
"""Some hundred wheels, the largest 20 MB; a slow line takes minutes."""

_PYTHON = re.compile(r"3\.\d{1,2}")
_MACHINE = re.compile(r"[a-z0-9_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelhousePlan:
    """For which hosts: Python's version as in ``3.11``, the machine as ``uname -m`` has it; Linux with glibc."""

    extras: tuple[str, ...]
    python: str
    machine: str

    def __post_init__(self) -> None:
        """Refuses what goes into file names and commands and is none of it."""
        wrong = [extra for extra in self.extras if extra not in EXTRAS]
        if wrong or not self.extras:
            raise UsageError(f"--extras {','.join(self.extras)!r}: give some of {', '.join(EXTRAS)}, with commas")
        if not _PYTHON.fullmatch(self.python):
            raise UsageError(f"--python {self.python!r}: give the hosts' version, as in 3.11")
        if not _MACHINE.fullmatch(self.machine):
            raise UsageError(f"--machine {self.machine!r}: give what `uname -m` says on the hosts, as in x86_64")

    @property
    def platforms(self) -> tuple[str, ...]:
        """What pip calls the hosts, the newest first (PEP 600)."""
        return (
            *(f"manylinux_2_{minor}_{self.machine}" for minor in reversed(GLIBC_MINORS)),
            f"manylinux2014_{self.machine}",
        )

    @property
    def name(self) -> str:
        """The archive's, without its end."""
        return f"{'-'.join(sorted(set(self.extras)))}-py{self.python}-{self.machine}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheelhouse:
    """An archive of wheels. `digest` is of what is in it: the same wheels have the same."""

    archive: Path
    digest: str
    requirement: str


def make_wheelhouse(plan: WheelhousePlan, folder: Path) -> Wheelhouse:
    """The archive for such hosts in `folder`: Floodmark as it is here, and the versions that are installed here.

    What has been downloaded is kept in `folder` and not downloaded again. Raises `ClusterError`.
    """
    return make_wheelhouses({plan}, folder)[plan]


def make_wheelhouses(plans: Collection[WheelhousePlan], folder: Path) -> dict[WheelhousePlan, Wheelhouse]:
    """Likewise for several kinds of hosts."""
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder), _scratch(folder / "scratch") as scratch:
        own = _kept_own_wheel(folder / "own", scratch)
        return {plan: _wheelhouse(plan, own, folder) for plan in plans}


def _wheelhouse(plan: WheelhousePlan, own: Path, folder: Path) -> Wheelhouse:
    pins = installed_versions()
    wheels = folder / f"{plan.name}-{_digest_of_text(repr((pins, plan.platforms)) + _requires(own))[:16]}"
    if not wheels.is_dir():
        _download(plan, own, pins, wheels)
    files = [own, *sorted(path for path in wheels.iterdir() if not path.name.startswith(f"{NAME}-"))]
    digest = _digest_of_text("".join(f"{path.name} {_digest_of_file(path)}\n" for path in files))
    archive = folder / f"{plan.name}.tar"
    _pack(files, archive)
    return Wheelhouse(archive=archive, digest=digest, requirement=f"{NAME}[{','.join(sorted(set(plan.extras)))}]")


def _kept_own_wheel(kept: Path, scratch: Path) -> Path:
    """As `own_wheel`; that of a checkout is built once for all hosts, and again when a file of it has changed."""
    checkout = checkout_of(importlib.metadata.distribution(NAME).read_text("direct_url.json"))
    if checkout is None:
        return own_wheel(scratch)
    folder = kept / digest_of_checkout(checkout)
    for wheel in folder.glob("*.whl"):
        return wheel
    built = own_wheel(scratch)
    shutil.rmtree(kept, ignore_errors=True)  # of files that were otherwise
    folder.mkdir(parents=True)
    beside = shutil.copyfile(built, folder / "partial")
    return beside.rename(folder / built.name)


def digest_of_checkout(checkout: Path) -> str:
    """Of every file that a wheel is made of, as pyproject.toml names them."""
    project = checkout / "pyproject.toml"
    hatch = tomllib.loads(project.read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    roots = [checkout / name for name in (*hatch["packages"], *hatch["force-include"])]
    found = {path for root in roots for path in root.rglob("*") if "__pycache__" not in path.parts and path.is_file()}
    files = [
        project,
        *(path for path in map(checkout.joinpath, ("README.md", "LICENSE")) if path.exists()),
        *sorted(found),
    ]
    return _digest_of_text("".join(f"{path.relative_to(checkout)} {_digest_of_file(path)}\n" for path in files))[:16]


def own_wheel(folder: Path) -> Path:
    """Floodmark's own wheel: built from the checkout where that is installed, else put together from its files."""
    distribution = importlib.metadata.distribution(NAME)
    checkout = checkout_of(distribution.read_text("direct_url.json"))
    if checkout is None:
        return repacked(distribution, folder)
    words = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(checkout)]
    _pip(words, f"Floodmark's own wheel could not be built from {checkout}")
    return next(folder.glob(f"{NAME}-*.whl"))


def checkout_of(direct_url: str | None) -> Path | None:
    """The folder of an editable installation (PEP 610); None for any other."""
    plain = json.loads(direct_url) if direct_url else {}
    if not plain.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlparse(plain["url"]).path))


def repacked(distribution: importlib.metadata.Distribution, folder: Path) -> Path:
    """A wheel of the files that a wheel has brought (PEP 376); what the installation made itself is left out.

    Dates are those of the first day that a zip file can have: the same files give the same wheel.
    """
    path = folder / f"{NAME}-{distribution.version}-py3-none-any.whl"
    made_here = {"INSTALLER", "REQUESTED", "direct_url.json", "RECORD"}
    files = [file for file in distribution.files or () if ".." not in file.parts and file.suffix != ".pyc"]
    kept = sorted((file for file in files if file.name not in made_here), key=str)
    if not kept:
        raise ClusterError("the installed Floodmark has no list of its files: install it again with pip")
    record = next(file for file in files if file.name == "RECORD")
    lines = "".join(f"{file},{_record_hash(file)}\n" for file in kept) + f"{record},,\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for file in kept:
            wheel.writestr(zipfile.ZipInfo(str(file)), Path(str(file.locate())).read_bytes(), zipfile.ZIP_DEFLATED)
        wheel.writestr(zipfile.ZipInfo(str(record)), lines)
    return path


def _record_hash(file: importlib.metadata.PackagePath) -> str:
    return f"{file.hash.mode}={file.hash.value},{file.size}" if file.hash else ","


def installed_versions() -> tuple[str, ...]:
    """``name==version`` of everything installed here, so that the hosts run what was tried here."""
    found = {_normal(item.metadata["Name"]): item.version for item in importlib.metadata.distributions()}
    return tuple(f"{name}=={version}" for name, version in sorted(found.items()) if name != NAME)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _download(plan: WheelhousePlan, own: Path, pins: tuple[str, ...], wheels: Path) -> None:
    """Into a folder that gets its name when it is whole."""
    beside = wheels.with_name(f"{wheels.name}.{os.getpid()}.partial")
    beside.mkdir()
    constraints = own.with_name("constraints.txt")
    constraints.write_text("\n".join(pins), encoding="utf-8")
    words = ["download", "--only-binary=:all:", "--implementation=cp", f"--python-version={plan.python}"]
    words += [f"--platform={platform}" for platform in plan.platforms]
    words += [f"--constraint={constraints}", f"--dest={beside}", f"{own}[{','.join(plan.extras)}]"]
    try:
        _pip(words, f"the wheels for Python {plan.python} on {plan.machine} could not be had")
    except ClusterError:
        shutil.rmtree(beside)
        raise
    for old in wheels.parent.glob(f"{plan.name}-*"):
        if old != beside:  # of other versions, or left by a kill
            shutil.rmtree(old, ignore_errors=True)
    beside.rename(wheels)


def _pip(words: list[str], what: str) -> None:
    argv = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", *words]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=DOWNLOAD_TIMEOUT_S)  # noqa: S603 - the words are checked
    except subprocess.TimeoutExpired:
        raise ClusterError(f"{what}: pip took longer than {DOWNLOAD_TIMEOUT_S:g} s") from None
    if done.returncode:
        said = "; ".join(line for line in done.stderr.strip().splitlines()[-3:]) or "it printed nothing"
        raise ClusterError(f"{what}: pip says: {said}")


def _requires(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    return "\n".join(line for line in lines if line.startswith("Requires-Dist"))


def _pack(files: list[Path], archive: Path) -> None:
    """With nothing in it of when and by whom, so that the same wheels give the same bytes."""
    beside = archive.with_name(f"{archive.name}.partial")
    with tarfile.open(beside, "w") as tar:
        for path in files:
            entry = tarfile.TarInfo(path.name)
            entry.size = path.stat().st_size
            entry.mode = 0o644
            with path.open("rb") as file:
                tar.addfile(entry, file)
    beside.rename(archive)


def _digest_of_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[IO[str]]:
    """Ansible asks for several hosts at once: the second finds what the first has downloaded."""
    with (folder / ".lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


@contextlib.contextmanager
def _scratch(scratch: Path) -> Iterator[Path]:
    """For whoever holds the lock. Always the same one, beside the wheels: what a kill leaves goes with the next."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch)
