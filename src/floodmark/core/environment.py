"""What a run was made with: the kind of machine, and versions. Facts for the manifest, no limits."""

import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from floodmark.core.system import usable_cores


def host_facts() -> dict[str, str]:
    """The machine this process runs on: kernel and processor kind."""
    return {"kernel": f"{platform.system()} {platform.release()}", "machine": platform.machine()}


def machine_facts() -> dict[str, str]:
    """How much of it there is: cores that this process may use, and memory."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cores": str(usable_cores()), "memory": f"{memory_bytes / 2**30:.0f} GiB"}


def versions_of(distributions: Iterable[str]) -> dict[str, str]:
    """Python's version and those of the distributions; one that is not installed as a distribution is left out."""
    found = {"python": platform.python_version()}
    for name in distributions:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
