"""The files that hold a cluster's keys: for their owner only, never written over, and refused with the reason."""

import stat

import pytest

from floodmark.core.bus_keys import (
    AGENT,
    MASTER,
    ROLES,
    WORKER,
    KeyPair,
    keys_file,
    read_master_keys,
    read_node_keys,
    why_not_private,
    write_keys,
)
from floodmark.core.errors import UsageError

PAIRS = {role: KeyPair(f"{role:.<40}", f"{role:#<40}") for role in ROLES}


def test_each_role_reads_back_its_pair_and_whom_it_knows(tmp_path):
    write_keys(tmp_path, PAIRS)
    master = read_master_keys(tmp_path)
    assert (master.public, master.secret) == PAIRS[MASTER]
    assert [master.role_of(PAIRS[role].public) for role in ROLES] == [None, WORKER, AGENT]
    for role in (WORKER, AGENT):
        for place in (tmp_path, tmp_path / keys_file(role)):
            node = read_node_keys(place, role)
            assert (node.public, node.secret, node.master) == (*PAIRS[role], PAIRS[MASTER].public)


def test_the_files_are_their_owners_alone_and_the_masters_secret_is_in_one_of_them(tmp_path):
    paths = write_keys(tmp_path / "new" / "keys", PAIRS)
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o600] * 3
    assert stat.S_IMODE(paths[0].parent.stat().st_mode) == 0o700
    assert [PAIRS[MASTER].secret in path.read_text() for path in paths] == [True, False, False]


def test_keys_that_are_there_are_not_written_over(tmp_path):
    (tmp_path / keys_file(AGENT)).write_text("in use")
    with pytest.raises(UsageError, match=r"agent\.toml: is there already"):
        write_keys(tmp_path, PAIRS)
    assert [path.name for path in tmp_path.iterdir()] == [keys_file(AGENT)]


def test_no_error_and_no_repr_shows_a_secret(tmp_path):
    write_keys(tmp_path, PAIRS)
    assert PAIRS[MASTER].secret not in repr(read_master_keys(tmp_path))
    assert PAIRS[AGENT].secret not in repr(read_node_keys(tmp_path, AGENT))
    file = tmp_path / keys_file(AGENT)
    file.write_text(file.read_text().replace(PAIRS[AGENT].secret, "my secret with a space"))
    with pytest.raises(UsageError, match=r"agent\.toml: secret must be a key of 40 characters") as found:
        read_node_keys(tmp_path, AGENT)
    assert "my secret" not in str(found.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("role = ", "is no file of keys"),
        ("\udcff", "is no file of keys"),
        ('role = "worker"', "has the keys of role 'worker'; here those of the agent"),
        ('role = "agent"', "public must be a key"),
        (f'role = "agent"\npublic = "{"a" * 39}"', "public must be a key"),
        (f'role = "agent"\npublic = "{"ä" * 40}"', "public must be a key"),
        (f'role = "agent"\npublic = "{"a" * 40}"\nsecret = {[1]}', "secret must be a key"),
    ],
)
def test_a_file_that_cannot_be_one_is_refused_with_the_reason(tmp_path, text, words):
    file = tmp_path / keys_file(AGENT)
    file.write_bytes(text.encode(errors="surrogateescape"))
    file.chmod(0o600)
    with pytest.raises(UsageError, match=words):
        read_node_keys(file, AGENT)


def test_a_list_of_who_may_join_is_needed(tmp_path):
    write_keys(tmp_path, PAIRS)
    file = tmp_path / keys_file(MASTER)
    file.write_text(file.read_text().replace("agents = [", 'agents = "').replace('"]', '"'))
    with pytest.raises(UsageError, match=r"is no file of keys|must be a list"):
        read_master_keys(tmp_path)


def test_a_secret_that_others_may_read_is_refused_with_the_command_that_mends_it(tmp_path):
    write_keys(tmp_path, PAIRS)
    (tmp_path / keys_file(WORKER)).chmod(0o644)
    with pytest.raises(UsageError, match=r"chmod 600 .*worker\.toml"):
        read_node_keys(tmp_path, WORKER)
    (tmp_path / keys_file(WORKER)).chmod(0o440)  # as systemd hands over credentials
    assert read_node_keys(tmp_path, WORKER).public == PAIRS[WORKER].public


@pytest.mark.parametrize(
    ("mode", "owner", "reader", "words"),
    [
        (0o600, 1000, 1000, None),
        (0o440, 0, 1000, None),
        (0o600, 1000, 0, None),
        (0o640, 1000, 1000, None),
        (0o602, 1000, 1000, "every user of this host"),
        (0o660, 1000, 1000, "its group may write it"),
        (0o600, 1001, 1000, "belongs to another user"),
    ],
)
def test_a_file_that_somebody_else_can_change_is_refused(mode, owner, reader, words):
    trouble = why_not_private(mode, owner, reader)
    assert (trouble is None) if words is None else words in trouble


def test_a_folder_without_keys_says_how_to_make_them(tmp_path):
    with pytest.raises(UsageError, match=r"master\.toml: is not there; `floodmark keys FOLDER` makes"):
        read_master_keys(tmp_path)
