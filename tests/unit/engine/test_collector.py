"""The garbage collector out of a load's way, and back as it was."""

import gc
from collections.abc import Iterator

import pytest

from floodmark.engine.collector import Aside, Pause


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_what_is_there_before_a_load_is_looked_at_again_after_it_only() -> None:
    known: list[object] = [[] for _ in range(1_000)]
    aside = Aside()
    for _ in range(2):
        aside.begin()
        aside.begin()
        assert gc.get_freeze_count() > len(known)
        assert not any(known is seen for seen in gc.get_objects())
        aside.end()
        aside.end()
        assert gc.get_freeze_count() == 0
        assert any(known is seen for seen in gc.get_objects())


def test_what_somebody_has_frozen_for_good_stays_so() -> None:
    gc.freeze()
    frozen = gc.get_freeze_count()
    aside = Aside()
    aside.begin()
    aside.end()
    assert gc.get_freeze_count() == frozen


def test_a_pause_ends_once_and_can_begin_again() -> None:
    pause = Pause()
    for _ in range(2):
        pause.begin()
        pause.begin()
        assert not gc.isenabled()
        pause.end()
        assert gc.isenabled()
    gc.disable()
    pause.end()
    assert not gc.isenabled()


def test_who_has_switched_collections_off_for_good_is_left_alone() -> None:
    gc.disable()
    pause = Pause()
    pause.begin()
    pause.end()
    assert not gc.isenabled()
