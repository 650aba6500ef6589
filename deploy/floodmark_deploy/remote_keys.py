"""The keys of a cluster's bus on its way to the hosts: the user's own, those that are there, or fresh ones."""

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from floodmark.core.bus_keys import ROLES, keys_file, read_master_keys
from floodmark_deploy.hosts_file import HostsFile
from floodmark_deploy.keeper import Keeper
from floodmark_deploy.keys import make_keys
from floodmark_deploy.private_folder import PrivateFolder

PLAIN = "plain"
"""The word for a bus without keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BusKeys:
    """`folder` None: the hosts have what they need. `word` is another one for each set of keys."""

    folder: Path | None
    word: str


@contextmanager
def bus_keys(file: HostsFile, there: Collection[str]) -> Iterator[BusKeys]:
    """`there` has what each host has now, as `probe_there` tells it.

    Fresh keys are made where one host lacks them: all get the same. They are gone from this one at the end, also when
    this process is killed. Raises `UsageError` for a folder without keys.
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
        with Keeper() as keeper, PrivateFolder(tell=keeper.tell) as folder:
            make_keys(folder)
            yield BusKeys(folder=folder, word=read_master_keys(folder).public)


def _roles_in(folder: Path) -> list[str]:
    return [role for role in ROLES if (folder / keys_file(role)).is_file()]
