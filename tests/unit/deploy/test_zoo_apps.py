"""What the zoo's applications share, without a framework and without a server."""

import importlib.util
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark_deploy.zoo import targets_folder


def _load() -> ModuleType:
    found = importlib.util.spec_from_file_location("zoo_contract", targets_folder() / "_apps" / "contract.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


contract = _load()


@given(st.floats(0, 3_600))
def test_a_hold_within_bounds_is_taken(hold_s: float) -> None:
    assert contract.parse_hold(repr(hold_s), 9.0) == hold_s


def test_without_a_hold_the_default_counts() -> None:
    assert contract.parse_hold(None, 0.1) == 0.1


@given(st.text() | st.floats().map(repr))
def test_any_other_text_is_within_bounds_or_refused(text: str) -> None:
    try:
        hold_s = contract.parse_hold(text, 0.0)
    except contract.BadHoldError:
        return
    assert 0 <= hold_s <= 3_600


@pytest.mark.parametrize("text", ["", " ", "-0.1", "3600.01", "nan", "inf", "-inf", "1,5", "five"])
def test_a_hold_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(contract.BadHoldError, match="give seconds from 0 to 3600"):
        contract.parse_hold(text, 0.0)
