"""A folder that goes with a ``with``: it alone, and never what a link or another folder in its place holds."""

import gc
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core.errors import FloodmarkError
from floodmark_deploy.keeper import Orders
from floodmark_deploy.known_folder import KnownFolder, inode_at
from floodmark_deploy.private_folder import PrivateFolder


def _known(path: Path) -> KnownFolder:
    return KnownFolder(path=str(path), inode=inode_at(str(path)))


def _tree(folder: Path) -> Path:
    (folder / "deep" / "deeper").mkdir(parents=True)
    (folder / "deep" / "deeper" / "file").touch()
    return folder


@given(st.binary(min_size=1).filter(lambda path: b"\0" not in path), st.sampled_from(["", "8:123"]))
def test_a_folder_goes_through_one_line_whatever_its_path(path: bytes, inode: str) -> None:
    folder = KnownFolder(path=path.decode("utf-8", "surrogateescape"), inode=inode)
    assert len(f"folder {folder}".splitlines()) == 1
    assert KnownFolder.parse(str(folder)) == folder
    orders = Orders()
    assert orders.read([f"folder {folder}\n"])
    assert orders.folders == (folder,)


def test_a_keeper_forgets_a_folder_that_was_removed_and_knows_one_better_when_it_was_made() -> None:
    one, other = (KnownFolder(path=path, inode="8:1") for path in ("/one", "/other"))
    orders = Orders()
    orders.read([f"folder {KnownFolder(path='/one')}", f"folder {one}", f"folder {other}", f"removed {other}"])
    assert orders.folders == (one,)


def test_a_folder_goes_with_all_that_is_in_it_and_once_more_is_harmless(tmp_path: Path) -> None:
    folder = _known(_tree(tmp_path / "own"))
    folder.remove()
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_the_folder_goes_and_what_it_shows_stays(tmp_path: Path) -> None:
    outside, own = _tree(tmp_path / "outside"), _tree(tmp_path / "own")
    (own / "link").symlink_to(outside)
    (own / "deep" / "link").symlink_to(outside / "deep" / "deeper" / "file")
    _known(own).remove()
    assert not own.exists()
    assert (outside / "deep" / "deeper" / "file").exists()


@pytest.mark.parametrize("what", ["another folder", "a link", "a file"])
def test_what_has_taken_the_folders_place_is_left_alone(tmp_path: Path, what: str) -> None:
    own = _tree(tmp_path / "own")
    folder = _known(own)
    moved = own.rename(tmp_path / "moved")
    {"another folder": lambda: _tree(own), "a link": lambda: own.symlink_to(moved), "a file": own.touch}[what]()
    with pytest.raises(OSError, match="own"):
        folder.remove()
    assert own.exists()
    assert (moved / "deep" / "deeper" / "file").exists()


def test_of_a_folder_that_may_not_have_been_made_only_an_empty_one_goes(tmp_path: Path) -> None:
    full, empty = _tree(tmp_path / "full"), tmp_path / "empty"
    empty.mkdir()
    for path in (empty, tmp_path / "never made"):
        KnownFolder(path=str(path)).remove()
    with pytest.raises(OSError, match="full"):
        KnownFolder(path=str(full)).remove()
    assert list(tmp_path.iterdir()) == [full]


def test_the_keeper_knows_of_the_folder_before_it_is_made_and_until_it_is_gone(tmp_path: Path) -> None:
    told: list[tuple[str, bool]] = []
    path = tmp_path / "own"
    with PrivateFolder(path, lambda order: told.append((order, path.exists()))):
        made = _known(path)
    unmade = KnownFolder(path=str(path))
    assert told == [(f"folder {unmade}", False), (f"folder {made}", True), (f"removed {unmade}", False)]


def test_a_folder_that_cannot_be_made_is_named_and_the_keeper_forgets_it(tmp_path: Path) -> None:
    orders: list[str] = []
    with (
        pytest.raises(FloodmarkError, match="own: this folder cannot be made: No such file"),
        PrivateFolder(tmp_path / "nowhere" / "own", orders.append),
    ):
        pass
    keeper = Orders()
    keeper.read(orders)
    assert keeper.folders == ()


def test_a_folder_that_cannot_be_removed_is_named_and_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    orders: list[str] = []
    with caplog.at_level(logging.WARNING), PrivateFolder(tmp_path / "own", orders.append) as folder:
        folder.rename(tmp_path / "moved")
        _tree(folder)
    assert f"{folder} is left, remove it" in caplog.text
    keeper = Orders()
    keeper.read(orders)
    assert [known.path for known in keeper.folders] == [str(folder)]


def test_a_folder_that_is_forgotten_is_not_taken_from_whoever_uses_it(tmp_path: Path) -> None:
    folder = PrivateFolder(tmp_path / "own").__enter__()
    gc.collect()
    assert folder.exists()
