import re
from pathlib import Path

import pytest

from floodmark_agent.rights import parse_effective
from floodmark_agent.selector import Selector, command_line, groups_of


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    for pid, words, group, mark in (
        (10, "gunicorn: master [shop]", "/system.slice/shop.service", "r-1"),
        (11, "gunicorn: worker [shop]", "/system.slice/shop.service", "r-1"),
        (20, "python -m gunicorn blog:app", "/system.slice/blog.service/inner", "r-2"),
    ):
        folder = tmp_path / str(pid)
        folder.mkdir()
        (folder / "cmdline").write_bytes(words.replace(" ", "\0").encode() + b"\0")
        (folder / "cgroup").write_text(f"9:name=systemd:/x\n0::{group}\n")
        (folder / "environ").write_bytes(f"PATH=/bin\0FLOODMARK_RUN={mark}\0".encode())
    return tmp_path


@pytest.mark.parametrize(
    ("selector", "meant"),
    [
        (Selector(pid=11), {11}),
        (Selector(unit="shop.service"), {10, 11}),
        (Selector(unit="blog.service"), {20}),
        (Selector(unit="shop"), set()),
        (Selector(command=re.compile("gunicorn.*shop")), {10, 11}),
        (Selector(command=re.compile("-m gunicorn")), {20}),
        (Selector(mark="FLOODMARK_RUN=r-1"), {10, 11}),
        (Selector(mark="FLOODMARK_RUN=r"), set()),
        (Selector(mark="FLOODMARK_RUN=r-1", command=re.compile("worker")), {11}),
    ],
)
def test_processes_are_meant_by_everything_that_was_said(proc: Path, selector: Selector, meant: set[int]) -> None:
    assert selector.matching([10, 11, 20, 30], str(proc)) == meant


def test_the_agent_and_those_above_it_are_never_meant_by_their_command_lines() -> None:
    parents = {1: 0, 5: 1, 6: 5, 7: 6, 8: 1}

    assert Selector(command=re.compile("x")).others_than_us(parents, own_pid=7) == {8}
    assert Selector(pid=7).others_than_us(parents, own_pid=7) == set(parents)


def test_what_was_meant_is_said_in_words() -> None:
    selector = Selector(pid=7, unit="a.service", command=re.compile("b+"), mark="C=d")

    assert selector.words == "process with id 7, of unit a.service, with a command line like 'b+', marked C=d"


@pytest.mark.parametrize("text", ["", "\n", "0::", "nonsense", "1:2:3:4"])
def test_a_broken_list_of_groups_is_no_error(text: str) -> None:
    assert isinstance(groups_of(text), set)


def test_a_command_line_may_hold_any_bytes() -> None:
    assert command_line(b"a\xff\0b\0") == "a\\xff b"


@pytest.mark.parametrize(("text", "bits"), [("CapEff:\t0000000000080004\n", 0x80004), ("", 0), ("CapEff: x\n", 0)])
def test_the_rights_are_read_from_the_status(text: str, bits: int) -> None:
    assert parse_effective(text) == bits
