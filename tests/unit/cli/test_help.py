"""The help of `floodmark run`: every option in a group, and every profile with its question."""

import pytest
from typer.testing import CliRunner

from floodmark.cli.groups import PROFILES, complete_profile, defaults_of
from floodmark.cli.main import app
from floodmark.core.profile import PROFILE_KINDS


@pytest.fixture(scope="module")
def shown():
    done = CliRunner().invoke(app, ["run", "--help"])
    assert done.exit_code == 0
    return done.stdout


def test_every_profile_is_explained_and_completed():
    assert tuple(PROFILES) == PROFILE_KINDS
    assert [kind for kind, _ in complete_profile("")] == list(PROFILE_KINDS)
    assert [kind for kind, _ in complete_profile("b")] == ["burst"]


def test_the_help_has_its_options_in_groups_and_the_profiles_last(shown):
    heads = [line.rstrip(":") for line in shown.splitlines() if line and not line.startswith((" ", "Usage"))]
    assert [head.split(";")[0] for head in heads] == [
        "What to run, once",
        "The load",
        "From where, and which answer counts",
        "What it is to meet",
        "The run",
        "Other options",
        "Profiles",
    ]
    load = shown.partition("The load;")[2].partition("From where")[0]
    assert all(flag in load for flag in ("--profile KIND", "--requests N", "--rate N", "--duration SECONDS"))
    assert "  search    bursts of 16" in shown.partition("Profiles:")[2]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("requests", "[burst, ramp: 1000; search: 10000]"),
        ("timeout_s", "[burst, ramp, search: none; closed: 2; arrivals: 10]"),
        ("hold_s", "[burst, ramp: 5; closed, arrivals: 0.1; search: 2]"),
    ],
)
def test_an_option_says_which_profiles_have_it_and_with_which_default(name, words, shown):
    assert defaults_of(name) == words
    assert words in " ".join(shown.split())
