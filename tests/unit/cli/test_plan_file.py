"""`--plan`: options in a file, by their names; what does not fit is refused with the file and the line."""

import sys

import pytest
import typer

from floodmark.cli import run as run_command
from floodmark.cli.main import app, main
from floodmark.core.errors import PlanError


@pytest.fixture
def planned(monkeypatch, tmp_path):
    """Runs `floodmark run` up to its plan, which it returns: nothing is started."""
    monkeypatch.chdir(tmp_path)

    def run(text, *words):
        (tmp_path / "load.toml").write_text(text)
        plans = []
        monkeypatch.setattr(run_command, "_run_and_report", lambda plan, *_: plans.append(plan) or 0)
        arguments = ["run", "--plan", "load.toml", *words]
        monkeypatch.setattr(sys, "argv", ["floodmark", *arguments])
        app(arguments, standalone_mode=False)
        (plan,) = plans
        return plan

    return run


PLAN = """
# What is good enough.
target = "fastapi-uvicorn-sync"
profile = "closed"
connections = 50
duration = 2.5
expect-status = 201
workers = 2
thresholds = [
  "http_req_duration: p(95)<200 && p(99)<1s",
  "target.accept_queue.max < 100",
]
abort-on-fail = true
abort-delay = 1
"""


def test_every_option_stands_where_the_command_line_says_nothing(planned):
    plan = planned(PLAN)
    assert (plan.name, plan.kind, plan.workers, plan.request.status) == ("fastapi-uvicorn-sync", "closed", 2, 201)
    assert (plan.asked.connections, plan.asked.duration_s, plan.asked.rate) == (50, 2.5, None)
    assert plan.goals.thresholds == (
        "http_req_duration: p(95)<200",
        "http_req_duration: p(99)<1s",
        "target.accept_queue.max < 100",
    )
    assert (plan.goals.abort_on_fail, plan.goals.abort_delay_s) == (True, 1.0)
    assert plan.text == PLAN


def test_what_the_command_line_says_holds_instead_a_list_as_a_whole(planned):
    plan = planned(PLAN, "--connections", "7", "--threshold", "http_reqs: rate>1")
    assert (plan.asked.connections, plan.asked.duration_s) == (7, 2.5)
    assert plan.goals.thresholds == ("http_reqs: rate>1",)


def test_a_target_may_be_said_on_the_command_line_alone(planned):
    assert planned("hold = 1\nrequests = 9", "flask-dev-single").name == "flask-dev-single"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            'target = "x"\nreqests = 3',
            "--plan load.toml, line 2: `floodmark run` has no option 'reqests'; is it 'requests'?",
        ),
        (
            'threshold = ["x"]',
            "--plan load.toml, line 1: `floodmark run` has no option 'threshold'; is it 'thresholds'?",
        ),
        ("expect_status = 200", "line 1: `floodmark run` has no option 'expect_status'; is it 'expect-status'?"),
        ('# reqests\nurl = "http://127.0.0.1/reqests"\n reqests=3', "line 3: `floodmark run` has no option 'reqests'"),
        ('plan = "other.toml"', "line 1: `floodmark run` has no option 'plan'; "),
        ("[load]\nrequests = 3", "line 1: `floodmark run` has no option 'load'; "),
        ("zzzz = 1", "there are target, url, target-file, "),
        ('\nrequests = "many"', "line 2: requests = 'many': give a whole number"),
        ("requests = 1.5", "line 1: requests = 1.5: give a whole number"),
        ("requests = true", "line 1: requests = True: give a number, or a text in quotes"),
        ("hold = [1]", "line 1: hold = [1]: give a number, or a text in quotes"),
        ('insecure = "yes"', "line 1: insecure = 'yes': give true or false"),
        ('thresholds = "x<1"', "line 1: thresholds = 'x<1': give a list of texts"),
        ("thresholds = [1]", "line 1: thresholds = [1]: give a list of texts"),
        ("requests = ", "not valid TOML: Invalid value (at end of document)"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_file_and_the_line(planned, text, words):
    with pytest.raises(PlanError) as caught:
        planned(text)
    assert words in str(caught.value)
    assert "load.toml" in str(caught.value)


def test_a_threshold_in_a_plan_is_read_before_anything_is_started(planned):
    with pytest.raises(PlanError, match=r"line 3: thresholds: threshold 'latency<1', column 1: no metric 'latency'"):
        planned('target = "fastapi-uvicorn-sync"\n\nthresholds = ["http_reqs: count>1", "latency<1"]')


def test_a_plan_that_is_not_there_is_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["floodmark", "run", "--plan", "none.toml"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert (caught.value.code, capsys.readouterr().err) == (2, "floodmark: --plan none.toml: no such file\n")


def test_every_option_of_a_run_but_the_plan_itself_has_its_key(planned):
    command = typer.main.get_command(app).commands["run"]
    flags = {word.removeprefix("--") for option in command.params for word in option.opts if word.startswith("--")}
    with pytest.raises(PlanError) as caught:
        planned("zzzz = 1")
    listed = str(caught.value).partition("there are ")[2].split(", ")
    lists = {"threshold", "export"}
    assert sorted(listed) == sorted({*(flags - lists - {"help", "plan"}), *(f"{name}s" for name in lists), "target"})
