"""The keys of a cluster's bus on its way to the hosts: the user's own, those that are there, or fresh ones."""

import hashlib
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from floodmark.core.bus_keys import ROLES, keys_file, read_master_keys
from floodmark_deploy.hosts_file import HostsFile
from floodmark_deploy.keys import make_keys

PLAIN = "plain"
"""The word for a bus without keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BusKeys:
    """`folder` None: the hosts have what they need. `word` is another one for each set of keys."""

    folder: Path | None
    word: str


@contextmanager
def bus_keys(file: HostsFile, there: Collection[str]) -> Iterator[BusKeys]:
    """`there` has what each host has now, as `probe_there` tells it. What is made here is gone at the end.

    Fresh keys are made where one host lacks them: all get the same. Raises `UsageError` for a folder without keys.
    """
    if file.cluster.plain_bus:
        yield BusKeys(folder=None, word=PLAIN)
    elif file.keys_folder:
        read_master_keys(file.keys_folder)
        kept = b"".join((file.keys_folder / keys_file(role)).read_bytes() for role in _roles_in(file.keys_folder))
        yield BusKeys(folder=file.keys_folder, word=hashlib.sha256(kept).hexdigest())
    elif len(set(there)) == 1 and "" not in there:
        yield BusKeys(folder=None, word=next(iter(there)))
    else:
        with tempfile.TemporaryDirectory(prefix="floodmark-keys-") as folder:
            make_keys(Path(folder))
            yield BusKeys(folder=Path(folder), word=read_master_keys(Path(folder)).public)


def _roles_in(folder: Path) -> list[str]:
    return [role for role in ROLES if (folder / keys_file(role)).is_file()]
