"""What the zoo's applications share, without a framework and without a server."""

import importlib.util
import re
import threading
from types import ModuleType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from floodmark.core.evidence import parse_server_timing
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


@given(st.text(min_size=1, max_size=30), st.floats(0, 1e6), st.floats(0, 3_600))
@example('a\\b"c', 1.0, 1.0)
def test_the_evidence_is_read_back_whatever_the_threads_name(name: str, begin_s: float, held_s: float) -> None:
    values: list[str] = []
    thread = threading.Thread(
        target=lambda: values.append(contract.server_timing(begin_s, begin_s + held_s)), name=name
    )
    thread.start()
    thread.join()
    evidence = parse_server_timing(values[0])
    assert evidence is not None
    assert evidence.begin_s == pytest.approx(begin_s, abs=1e-6)
    assert evidence.end_s == pytest.approx(begin_s + held_s, abs=1e-6)
    assert evidence.tid == thread.native_id
    printable = "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in name)
    assert re.sub(r"\\(.)", r"\1", evidence.thread) == printable
    assert values[0].isascii()
    assert values[0].isprintable()
