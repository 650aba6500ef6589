"""Labs for tests: real hosts. Where this machine can have none, every test here is skipped and says why."""

import subprocess
import sys
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
            item.add_marker(pytest.mark.xdist_group("lab"))  # labs share the machine: one at a time
            if MISSING:
                item.add_marker(pytest.mark.skip(reason=MISSING))


class LabHandle:
    """A lab that runs, and commands on its hosts."""

    def __init__(self, lab: Lab, plan: LabPlan):
        self.lab = lab
        self.plan = plan

    def ssh(self, host, *words, check=True):
        command = ["ssh", "-F", str(self.plan.ssh_config), host, *words]
        return subprocess.run(command, capture_output=True, text=True, check=check, timeout=120).stdout.strip()


@pytest.fixture
def lab_name():
    """Of the labs that a test brings up and takes away by itself; what a killed test has left is taken away first."""
    Lab("fmtest").down()
    yield "fmtest"
    Lab("fmtest").down()


@pytest.fixture(scope="session")
def one_lab():
    """A lab that stands while all tests of the session run: a master, two workers, one target."""
    lab = Lab("fmstand")
    lab.down()
    plan = lab.up(LabPlan(name="fmstand"))
    yield LabHandle(lab, plan)
    lab.down()


@pytest.fixture
def floodmark():
    """Runs the command line as a user does."""

    def run(*words, check=True):
        command = [sys.executable, "-m", "floodmark", *words]
        return subprocess.run(command, capture_output=True, text=True, check=check, timeout=500)

    return run
