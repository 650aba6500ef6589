import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core.errors import TargetError
from floodmark_agent.inet_diag import TcpListener
from floodmark_agent.selector import Selector
from floodmark_agent.target import OWNERS_EVERY_S, Target
from floodmark_agent.tree import ProcessTable, topmost, with_descendants
from floodmark_agent.unix_diag import UnixListener


class Host:
    """A /proc of our own, and the time."""

    def __init__(self, proc: Path) -> None:
        self.proc = proc
        self.now_s = 100.0
        (proc / "self" / "ns").mkdir(parents=True)
        (proc / "self" / "ns" / "net").symlink_to("net:[1]")

    def add(self, pid: int, parent: int, *sockets: int, namespace: int = 1) -> None:
        folder = self.proc / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "ns").mkdir()
        (folder / "ns" / "net").symlink_to(f"net:[{namespace}]")
        (folder / "stat").write_text(f"{pid} (server) S {parent} {'0 ' * 40}")
        for number, inode in enumerate(sockets, start=3):
            (folder / "fd" / str(number)).symlink_to(f"socket:[{inode}]")

    def hide_sockets(self, pid: int) -> None:
        (self.proc / str(pid) / "fd").rename(self.proc / str(pid) / "hidden")

    def end(self, pid: int) -> None:
        (self.proc / str(pid)).rename(self.proc / f"ended-{pid}")

    def target(self, port: int = 8000, *, pid: int | None = None) -> Target:
        return self.select(Selector(ports=(port,), pid=pid))

    def select(self, selector: Selector) -> Target:
        return Target(selector, clock=lambda: self.now_s, proc=str(self.proc))

    def say(self, pid: int, name: str, content: str) -> None:
        (self.proc / str(pid) / name).write_text(content)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def tcp(port: int, inode: int, *, depth: int = 0) -> TcpListener:
    return TcpListener(family="inet", host="127.0.0.1", port=port, inode=inode, depth=depth, limit=5)


def test_the_root_is_the_holder_with_no_other_holder_above(host: Host) -> None:
    host.add(1, 0)
    host.add(10, 1, 55)
    host.add(11, 10, 55)
    host.add(12, 11)
    host.add(20, 1)
    target = host.target()

    target.find([tcp(8000, 55)], [])

    assert (target.root, target.pids, target.notes) == (10, {10, 11, 12}, ())


def test_a_holder_that_is_no_descendant_belongs_to_the_tree(host: Host) -> None:
    host.add(1, 0)
    host.add(10, 1, 55)
    host.add(20, 1, 56)
    host.add(21, 20)
    target = host.target()

    target.find([tcp(8000, 55), tcp(8000, 56)], [])

    assert target.pids == {10, 20, 21}


def test_inner_listeners_are_named_with_their_owners_and_strangers_are_not(host: Host) -> None:
    host.add(10, 1, 55, 66, 77)
    host.add(11, 10, 66)
    host.add(20, 1, 88)
    rows = [tcp(7000, 66, depth=3), tcp(8000, 55), tcp(9999, 88)]
    unix = [UnixListener(path="app.sock", inode=77, depth=1, limit=9)]
    target = host.target()

    target.find(rows, unix)

    found = [(one.address, one.outer, one.depth, one.owners) for one in target.listeners(rows, unix)]
    assert found == [
        ("127.0.0.1:8000", True, 0, (10,)),
        ("127.0.0.1:7000", False, 3, (10, 11)),
        ("app.sock", False, 1, (10,)),
    ]
    assert target.ports(rows) == (8000, 7000)


def test_a_child_born_later_joins_and_one_that_ended_leaves(host: Host) -> None:
    host.add(10, 1, 55)
    host.add(11, 10, 55)
    target = host.target()
    target.find([tcp(8000, 55)], [])
    host.end(11)
    host.add(12, 10, 55)
    host.now_s += OWNERS_EVERY_S

    target.refresh([tcp(8000, 55)], [])

    host.add(13, 12, 55)
    host.now_s += OWNERS_EVERY_S
    target.refresh([tcp(8000, 55)], [])

    assert target.pids == {10, 12, 13}
    assert target.listeners([tcp(8000, 55)], [])[0].owners == (10, 12, 13)


def test_members_are_not_read_again_before_it_is_due(host: Host) -> None:
    host.add(10, 1, 55)
    target = host.target()
    target.find([tcp(8000, 55)], [])
    host.add(11, 10)

    target.refresh([tcp(8000, 55)], [])

    assert target.pids == {10}


def test_children_stay_members_when_all_above_them_end(host: Host) -> None:
    host.add(10, 1, 55)
    host.add(11, 10, 55)
    host.add(12, 11, 55)
    host.add(13, 10, 55)
    target = host.target()
    target.find([tcp(8000, 55)], [])
    host.end(10)
    host.end(11)
    host.now_s += OWNERS_EVERY_S

    target.refresh([tcp(8000, 55)], [])

    assert target.pids == {12, 13}


def test_the_topmost_are_those_with_no_other_of_them_above() -> None:
    parents = {5: 9, 9: 30, 7: 5, 30: 1, 8: 1, 2: 3, 3: 4, 4: 3}

    assert topmost([5, 7, 30, 8, 2], parents) == [2, 8, 30]


def test_a_restarted_server_is_found_again(host: Host) -> None:
    host.add(10, 1, 55)
    target = host.target()
    target.find([tcp(8000, 55)], [])
    host.end(10)
    host.add(30, 1, 99)
    host.now_s += OWNERS_EVERY_S

    target.refresh([tcp(8000, 99)], [])

    assert (target.root, target.pids) == (30, {30})


def test_a_listener_opened_later_by_a_member_is_seen(host: Host) -> None:
    host.add(10, 1, 55)
    target = host.target()
    target.find([tcp(8000, 55)], [])
    (host.proc / "10" / "fd" / "9").symlink_to("socket:[66]")
    host.now_s += OWNERS_EVERY_S

    target.refresh([tcp(8000, 55), tcp(9000, 66)], [])

    assert target.ports([tcp(8000, 55), tcp(9000, 66)]) == (8000, 9000)


def test_a_port_nobody_is_seen_to_hold_is_watched_without_processes(host: Host) -> None:
    host.add(10, 1, 55)
    host.hide_sockets(10)
    target = host.target()

    target.find([tcp(8000, 55)], [])

    assert (target.root, target.pids) == (None, frozenset())
    assert "no process is seen to hold port 8000" in target.notes[0]
    assert target.listeners([tcp(8000, 55)], [])[0].owners == ()


def test_a_given_process_whose_sockets_are_hidden_is_watched_with_a_note(host: Host) -> None:
    host.add(10, 1, 55)
    host.hide_sockets(10)
    target = host.target(pid=10)

    target.find([tcp(8000, 55)], [])

    assert target.pids == {10}
    assert "the sockets of process 10 may not be looked into" in target.notes[0]


def test_a_port_that_a_hidden_stranger_holds_is_noted(host: Host) -> None:
    host.add(10, 1)
    host.add(20, 1, 55)
    host.hide_sockets(20)
    target = host.target(pid=10)

    target.find([tcp(8000, 55)], [])

    assert target.pids == {10}
    assert "nobody below process 10 is seen to hold port 8000" in target.notes[0]


def test_a_given_process_is_the_root_though_only_a_child_listens(host: Host) -> None:
    host.add(10, 1)
    host.add(11, 10, 55)
    host.add(20, 1, 55)
    target = host.target(pid=10)

    target.find([tcp(8000, 55)], [])

    assert (target.root, target.pids) == (10, {10, 11})


@pytest.mark.parametrize(
    ("pid", "inode_port", "words"),
    [
        (None, 8001, "nothing listens on TCP port 8000"),
        (10, 8001, "nothing listens on TCP port 8000"),
        (99, 8000, "no process with id 99"),
        (20, 8000, "process 10 does"),
    ],
)
def test_a_target_that_is_not_there_is_named(host: Host, pid: int | None, inode_port: int, words: str) -> None:
    host.add(10, 1, 55)
    host.add(20, 1)

    with pytest.raises(TargetError, match=words):
        host.target(pid=pid).find([tcp(inode_port, 55)], [])


def test_without_a_port_the_ones_that_the_tree_listens_on_are_taken(host: Host) -> None:
    host.add(10, 1, 55, 66)
    host.add(20, 1, 88)
    rows = [
        tcp(9000, 66),
        TcpListener(family="inet", host="0.0.0.0", port=8000, inode=55, depth=0, limit=5),
        tcp(7, 88),
    ]
    target = host.select(Selector(pid=10))

    target.find(rows, [])

    assert target.outer_ports == (8000,)
    assert target.ports(rows) == (8000, 9000)


def test_a_named_process_that_listens_on_a_unix_socket_alone_is_watched(host: Host) -> None:
    host.add(10, 1, 77)
    unix = [UnixListener(path="app.sock", inode=77, depth=1, limit=9)]
    target = host.select(Selector(pid=10))

    target.find([tcp(8000, 55)], unix)

    assert target.outer_ports == ()
    assert [one.address for one in target.listeners([tcp(8000, 55)], unix)] == ["app.sock"]


def test_a_named_process_that_listens_on_nothing_is_no_target(host: Host) -> None:
    host.add(10, 1)

    with pytest.raises(TargetError, match="not seen to listen on anything"):
        host.select(Selector(pid=10)).find([tcp(8000, 55)], [])


def test_of_several_trees_of_one_name_the_one_that_holds_the_port_is_taken(host: Host) -> None:
    for pid, inode in ((10, 55), (20, 66)):
        host.add(pid, 1, inode)
        host.add(pid + 1, pid)
        host.say(pid, "cmdline", "gunicorn")
    target = host.select(Selector(ports=(8000,), command=re.compile("gunicorn")))

    target.find([tcp(8000, 66), tcp(9000, 55)], [])

    assert target.pids == {20, 21}


def test_a_named_server_that_is_restarted_is_found_by_its_name(host: Host) -> None:
    host.add(10, 1, 55)
    host.say(10, "cmdline", "gunicorn")
    target = host.select(Selector(ports=(8000,), command=re.compile("gunicorn")))
    target.find([tcp(8000, 55)], [])
    host.end(10)
    host.add(30, 1, 99)
    host.say(30, "cmdline", "sh")
    host.now_s += OWNERS_EVERY_S
    target.refresh([tcp(8000, 99)], [])
    assert target.has_ended

    host.say(30, "cmdline", "gunicorn")
    host.now_s += OWNERS_EVERY_S
    target.refresh([tcp(8000, 99)], [])

    assert (target.root, target.pids) == (30, {30})


def test_several_ports_are_outer_in_the_order_given(host: Host) -> None:
    host.add(10, 1, 55, 66)
    rows = [tcp(8000, 55), tcp(8443, 66)]
    target = host.select(Selector(ports=(8443, 8000)))

    target.find(rows, [])

    assert target.ports(rows) == (8443, 8000)
    assert all(one.outer for one in target.listeners(rows, []))


def test_a_process_keeps_the_parent_it_was_born_under(host: Host) -> None:
    host.add(10, 1)
    host.add(11, 10)
    table = ProcessTable(str(host.proc))
    table.refresh()
    (host.proc / "11" / "stat").write_text(f"11 (server) S 1 {'0 ' * 40}")

    table.refresh()

    assert table.parents == {10: 1, 11: 10}


@given(st.dictionaries(st.integers(1, 30), st.integers(0, 30), max_size=30), st.sets(st.integers(1, 30), max_size=5))
def test_any_parents_even_in_a_circle_make_a_tree_that_holds_its_roots(
    parents: dict[int, int], roots: set[int]
) -> None:
    found = with_descendants(roots, parents)

    assert roots & parents.keys() <= found <= parents.keys()
    assert set(topmost(roots, parents)) <= roots
