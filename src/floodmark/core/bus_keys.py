"""The keys of one cluster's bus, in three files: one for the master, one for its workers, one for the agents.

Each file is all that its host needs. Keys are CURVE's (https://rfc.zeromq.org/spec/26), written in Z85. None is made
here and no socket is opened.
"""

import os
import string
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from floodmark.core.errors import UsageError

KEYS_VARIABLE = "FLOODMARK_KEYS"
"""Environment of master, worker and agent: where their keys are, as their options have it."""

MASTER, WORKER, AGENT = "master", "worker", "agent"
ROLES = (MASTER, WORKER, AGENT)

_KEY_CHARACTERS = 40
_Z85 = frozenset(string.ascii_letters + string.digits + ".-:+=^!/*?&<>()[]{}@%$#")
"""https://rfc.zeromq.org/spec/32: no quote and no backslash, so that TOML needs no escapes."""

_WORDS = {
    MASTER: "the master's. It belongs on the host of Locust's master, and nowhere else.",
    WORKER: "a worker's. It belongs on every host that runs Locust workers.",
    AGENT: "an agent's. It belongs on every host that runs floodmark-agent.",
}


class KeyPair(NamedTuple):
    """A public and a secret key, 40 characters each."""

    public: str
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterKeys:
    """The master's pair, and the public keys of those that may join. More than one per role may be listed."""

    public: str
    secret: str = field(repr=False)
    workers: tuple[str, ...]
    agents: tuple[str, ...]

    def role_of(self, public: str) -> str | None:
        """Whose key this is; None for a stranger's."""
        if public in self.workers:
            return WORKER
        return AGENT if public in self.agents else None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeKeys:
    """A worker's or an agent's pair, and the public key by which it knows its master."""

    public: str
    secret: str = field(repr=False)
    master: str


def why_not_private(mode: int, owner: int, reader: int) -> str | None:
    """Why a file of keys is not its reader's alone, and what to do with it (its path follows); None where it is.

    `mode` is of its stat, `owner` and `reader` are user ids. Its group may read it: systemd's credentials are so where
    they are given by an access list.
    """
    if mode & 0o007:
        return "every user of this host may read or write it, and it holds a secret: chmod 600"
    if mode & 0o020:
        return "its group may write it, and it says whom to trust: chmod 600"
    if owner not in (reader, 0) and reader != 0:
        return f"belongs to another user (uid {owner}), who may change it: sudo chown $USER"
    return None


def keys_file(role: str) -> str:
    """The file's name in the folder of a cluster's keys."""
    return f"{role}.toml"


def write_keys(folder: Path, pairs: Mapping[str, KeyPair]) -> tuple[Path, ...]:
    """Writes the three files, for their owner only, and returns their paths. `pairs` has one per role.

    Raises `UsageError` where one of them is there already, and where they cannot be written.
    """
    paths = {role: folder / keys_file(role) for role in ROLES}
    for path in paths.values():
        if path.exists():
            raise UsageError(f"{path}: is there already, and a cluster may be using it; give another folder")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for role, path in paths.items():
            _write(path, _text(role, pairs))
    except OSError as error:
        raise UsageError(f"{error.filename or folder}: cannot be written: {error.strerror}") from None
    return tuple(paths.values())


def read_master_keys(place: Path) -> MasterKeys:
    """The master's keys; `place` is a folder of keys, or the file. Raises `UsageError` that names the file."""
    path, data = _read(place, MASTER)
    return MasterKeys(
        public=_key(path, data, "public"),
        secret=_key(path, data, "secret"),
        workers=_keys(path, data, "workers"),
        agents=_keys(path, data, "agents"),
    )


def read_node_keys(place: Path, role: str) -> NodeKeys:
    """A worker's or an agent's keys, likewise."""
    path, data = _read(place, role)
    return NodeKeys(
        public=_key(path, data, "public"), secret=_key(path, data, "secret"), master=_key(path, data, "master")
    )


def _text(role: str, pairs: Mapping[str, KeyPair]) -> str:
    own = pairs[role]
    known = (
        {"workers": [pairs[WORKER].public], "agents": [pairs[AGENT].public]}
        if role == MASTER
        else {"master": pairs[MASTER].public}
    )
    lines = [f"# Keys of a Floodmark cluster's bus: {_WORDS[role]}", f'role = "{role}"']
    lines += [f'{name} = "{value}"' for name, value in own._asdict().items()]
    for name, value in known.items():
        lines.append(f'{name} = "{value}"' if isinstance(value, str) else f"{name} = [{_quoted(value)}]")
    return "\n".join(lines) + "\n"


def _quoted(keys: Iterable[str]) -> str:
    return ", ".join(f'"{key}"' for key in keys)


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _read(place: Path, role: str) -> tuple[Path, dict[str, Any]]:
    path = place / keys_file(role) if place.is_dir() else place
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            data = tomllib.load(file)
    except FileNotFoundError:
        raise UsageError(f"{path}: is not there; `floodmark keys FOLDER` makes a cluster's keys") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # TOML's own, and what is no UTF-8
        raise UsageError(f"{path}: is no file of keys: {error}") from None
    if trouble := why_not_private(status.st_mode, status.st_uid, os.geteuid()):
        raise UsageError(f"{path}: {trouble} {path}")
    if data.get("role") != role:
        raise UsageError(f"{path}: has the keys of role {data.get('role')!r}; here those of the {role} are needed")
    return path, data


def _key(path: Path, data: dict[str, Any], name: str) -> str:
    return _checked(path, name, data.get(name))


def _keys(path: Path, data: dict[str, Any], name: str) -> tuple[str, ...]:
    values = data.get(name)
    if not isinstance(values, list):
        raise UsageError(f"{path}: {name} must be a list of keys")
    return tuple(_checked(path, name, value) for value in values)


def _checked(path: Path, name: str, value: Any) -> str:
    """The error does not repeat the value: it may be a secret."""
    if not isinstance(value, str) or len(value) != _KEY_CHARACTERS or not _Z85.issuperset(value):
        raise UsageError(f"{path}: {name} must be a key of {_KEY_CHARACTERS} characters (Z85)")
    return value
