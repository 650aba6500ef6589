"""The archive that hosts without a network install from: what it is refused for, and what is in it. No network here."""

import importlib.metadata
import tarfile
import zipfile
from pathlib import Path

import pytest

from floodmark.core.errors import UsageError
from floodmark_deploy.wheelhouse import (
    WheelhousePlan,
    _pack,
    _scratch,
    checkout_of,
    digest_of_checkout,
    installed_versions,
    repacked,
)


def plan(**changes):
    return WheelhousePlan(**{"extras": ("load",), "python": "3.11", "machine": "x86_64", **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"extras": ("load", "moon")}, "--extras 'load,moon'"),
        ({"extras": ()}, "--extras ''"),
        ({"python": "3"}, "--python '3'"),
        ({"python": "3.11; rm"}, "--python"),
        ({"machine": "../x"}, "--machine '../x'"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(changes, words):
    with pytest.raises(UsageError) as caught:
        plan(**changes)
    assert words in str(caught.value)


def test_the_newest_wheels_that_the_hosts_can_run_come_first():
    platforms = plan(machine="aarch64").platforms
    assert platforms[0] == "manylinux_2_35_aarch64"
    assert platforms[-1] == "manylinux2014_aarch64"


def test_the_same_extras_in_another_order_are_the_same_archive():
    assert plan(extras=("load", "agent")).name == plan(extras=("agent", "load")).name == "agent-load-py3.11-x86_64"


def test_hosts_get_the_versions_that_are_installed_here_but_floodmark_itself():
    versions = dict(line.split("==") for line in installed_versions())
    assert versions["locust"] == importlib.metadata.version("locust")
    assert "floodmark" not in versions


@pytest.mark.parametrize(
    ("direct_url", "folder"),
    [
        (None, None),
        ('{"url": "https://example.org/x.whl", "archive_info": {}}', None),
        ('{"url": "file:///home/a%20b/floodmark", "dir_info": {"editable": true}}', Path("/home/a b/floodmark")),
        ('{"url": "file:///home/a/floodmark", "dir_info": {}}', None),
    ],
)
def test_a_checkout_is_told_from_an_installed_wheel(direct_url, folder):
    assert checkout_of(direct_url) == folder


def installed(folder):
    """A distribution as pip leaves it: from a wheel, with what pip has added."""
    info = folder / "floodmark-9.9.dist-info"
    info.mkdir(parents=True)
    (folder / "floodmark").mkdir()
    (folder / "floodmark/__init__.py").write_text("x = 1\n")
    (info / "METADATA").write_text("Metadata-Version: 2.4\nName: floodmark\nVersion: 9.9\n")
    (info / "WHEEL").write_text("Wheel-Version: 1.0\n")
    (info / "INSTALLER").write_text("pip\n")
    files = ("floodmark/__init__.py", "floodmark/__pycache__/__init__.cpython-311.pyc", "../../../bin/floodmark")
    names = ("METADATA", "WHEEL", "INSTALLER", "RECORD")
    lines = [*(f"{file},," for file in files), *(f"floodmark-9.9.dist-info/{name},," for name in names)]
    (info / "RECORD").write_text("\n".join(lines) + "\n")
    return importlib.metadata.PathDistribution(info)


def test_an_installed_wheel_is_put_together_again_without_what_pip_has_added(tmp_path):
    wheel = repacked(installed(tmp_path / "site"), tmp_path)
    assert wheel.name == "floodmark-9.9-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        assert sorted(archive.namelist()) == [
            "floodmark-9.9.dist-info/METADATA",
            "floodmark-9.9.dist-info/RECORD",
            "floodmark-9.9.dist-info/WHEEL",
            "floodmark/__init__.py",
        ]
        assert archive.read("floodmark/__init__.py") == b"x = 1\n"


def test_the_same_files_give_the_same_bytes(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = repacked(installed(tmp_path / "one"), tmp_path / "a")
    second = repacked(installed(tmp_path / "two"), tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    _pack([first], tmp_path / "a.tar")
    _pack([second], tmp_path / "b.tar")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert [(entry.name, entry.mode, entry.mtime) for entry in tar] == [(first.name, 0o644, 0)]


@pytest.mark.parametrize(
    ("name", "is_in"),
    [
        ("src/floodmark/a.py", True),
        ("targets/new/target.toml", True),
        ("pyproject.toml", True),
        ("README.md", True),
        ("tests/test_a.py", False),
        ("src/floodmark/__pycache__/a.cpython-311.pyc", False),
    ],
)
def test_floodmarks_own_wheel_is_made_again_when_a_file_of_it_has_changed(tmp_path, name, is_in):
    for folder in ("src/floodmark/__pycache__", "targets/new", "tests"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.hatch.build.targets.wheel]\npackages = ["src/floodmark"]\nforce-include = {"targets" = "t"}\n'
    )
    before = digest_of_checkout(tmp_path)
    assert digest_of_checkout(tmp_path) == before
    with (tmp_path / name).open("a") as file:
        file.write("# changed\n")
    assert (digest_of_checkout(tmp_path) != before) == is_in


def test_what_a_kill_has_left_beside_the_wheels_goes_with_the_next_command(tmp_path):
    (tmp_path / "scratch" / "build").mkdir(parents=True)
    with _scratch(tmp_path / "scratch") as scratch:
        assert list(scratch.iterdir()) == []
        (scratch / "wheel").touch()
    assert list(tmp_path.iterdir()) == []
