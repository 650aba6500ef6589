"""Labs for tests: real hosts. Where this machine can have none, every test here is skipped and says why."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from floodmark_deploy.lab import Lab
from floodmark_deploy.lab_needs import what_is_missing
from floodmark_deploy.lab_plan import LabPlan

HERE = Path(__file__).parent
MISSING = "; ".join(what_is_missing())


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.timeout(600))  # the first test of a machine makes the tree
            if MISSING:
                item.add_marker(pytest.mark.skip(reason=MISSING))


class LabHandle:
    """A lab that runs, and commands on its hosts."""

    def __init__(self, lab: Lab, plan: LabPlan):
        self.lab = lab
        self.plan = plan

    def ssh(self, host, *words, check=True, text_in=None, timeout_s=120):
        command = ["ssh", "-F", str(self.plan.ssh_config), host, *words]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=timeout_s, input=text_in or ""
        )
        assert done.returncode == 0 or not check, f"{host}: {words}: {done.stderr}"
        return done.stdout.strip()


@contextmanager
def _own_number() -> Iterator[int]:
    """A number that no other process of tests has at this time; the kernel gives it back, also after a kill.

    Files run side by side, and so may whole test runs: each has labs, and so bridges and networks, of its own.
    """
    for number in count():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as claim:
            try:
                claim.bind(f"\0floodmark-tests-lab-{number}")  # abstract: no file (unix(7))
            except OSError:
                continue
            yield number
            return


@pytest.fixture(scope="session")
def lab_number():
    with _own_number() as number:
        yield number


@pytest.fixture
def lab_name(lab_number):
    """Of the labs that a test brings up and takes away by itself; what a killed test has left is taken away first."""
    name = f"fmtest{lab_number}"
    Lab(name).down()
    yield name
    Lab(name).down()


@pytest.fixture(scope="session")
def one_lab(lab_number):
    """A lab that stands for all files that this process runs: a master, two workers, one target.

    A file leaves its hosts as bare as it has found them.
    """
    lab = Lab(f"fmlab{lab_number}")
    lab.down()
    plan = lab.up(LabPlan(name=f"fmlab{lab_number}"))
    yield LabHandle(lab, plan)
    lab.down()


@pytest.fixture
def floodmark():
    """Runs the command line as a user does."""

    def run(*words, check=True):
        command = [sys.executable, "-m", "floodmark", *words]
        return subprocess.run(command, capture_output=True, text=True, check=check, timeout=500)

    return run
