"""``[recognise]`` of a target file: checked when it is read, with the place of what is wrong."""

from pathlib import Path

import pytest

from floodmark.core.command_line import CommandLine
from floodmark.core.errors import PlanError
from floodmark.core.recognise import RecogniseSpec
from floodmark.core.target import read_target

START = '[start]\ncommand = ["x"]\n[recognise]\n'


def _refused(tmp_path: Path, table: str) -> str:
    (tmp_path / "target.toml").write_text(START + table, encoding="utf-8")
    with pytest.raises(PlanError) as caught:
        read_target(tmp_path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("server = 's'\ncommand = ['(']", "command '(': not a regular expression"),
        ("server = 's'\ncommand = ['x']\nunless = ['[']", "unless '[': not a regular expression"),
        (
            "server = 's'\ncommand = ['x']\nnumber = '--n \\d+'",
            r"number '--n \\d+': has 0 groups; put the value into one",
        ),
        ("server = 's'\ncommand = ['x']\nprocesses = '(a)(b)'", "processes '(a)(b)': has 2 groups"),
        ("server = 's'\ncommand = ['x']\ntitle = 'x'", "title 'x': has 0 groups"),
        ("server = 's'\ncommand = ['x']\ndefault = 0", "default 0: give at least 1"),
        ("server = 's'\ncommand = ['x']\nless = -1", "less -1: give how many fewer"),
        ("server = 's'\ncommand = ['x']\ndefault_unless = ['y']", "default_unless without a default"),
        ("server = 's'\ncommand = ['x']\ndefault = 2\ndefault_unless = ['(']", "default_unless '(': not a regular"),
        ("server = 's'\ncommand = ['x']\nunits = ['fiber']", "units 'fiber': there are thread, process, event-loop"),
        ("server = 's'\ncommand = ['x']\nexamples = ['y']", "examples 'y': is not recognised"),
        ("server = 's'\ncommand = ['x']\nunless = ['y']\nexamples = ['x y']", "examples 'x y': is not recognised"),
        ("command = ['x']", "server is empty"),
        ("server = 's'", "command is empty"),
        ("server = 's'\ncommand = ['x']\nthreads = 1", "no field 'threads'"),
    ],
)
def test_what_can_never_be_right_is_refused_with_the_file_and_the_section(tmp_path, table, words):
    said = _refused(tmp_path, table)
    assert said.startswith(f"{tmp_path / 'target.toml'}: recognise")
    assert words in said


def test_a_target_without_the_table_recognises_nothing():
    assert not RecogniseSpec().matches("x")
    assert not RecogniseSpec().matches("")


def test_words_have_a_blank_on_both_sides_also_the_first_and_the_last():
    spec = RecogniseSpec(server="s", command=(" prog ", " -x "), unless=(" -y ",))
    assert spec.matches("prog -x")
    assert not spec.matches("prog -xx")
    assert not spec.matches("prog -x -y")


@pytest.mark.parametrize(("words", "number"), [("p -n 2 -n 3", 3), ("p -n 2", 2), ("p", None), ("p -n x", None)])
def test_the_last_number_counts_and_a_blank_may_end_one_and_begin_the_next(words, number):
    assert RecogniseSpec(server="s", command=("p",), number=r" -n (\w+) ").number_in(words) == number


def test_a_line_is_whole_unless_it_was_cut_or_a_whole_word_is_hidden():
    assert CommandLine(words="p --token=*** -x", pids=(1,)).is_whole
    assert not CommandLine(words="p --token *** -x", pids=(1,)).is_whole
    assert not CommandLine(words="p", pids=(1,), cut=True).is_whole
