"""What a shell is told when Tab is pressed: asked as bash, zsh and fish ask, through their environment variables."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FLOODMARK = Path(sys.executable).parent / "floodmark"
SHELLS = ("bash", "zsh", "fish")


def asked(shell, line, cwd):
    """What the shell's own completion function is answered for a line that ends at the cursor."""
    words = line.split(" ")
    environment = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_FLOODMARK_COMPLETE": "complete_bash"},
        "zsh": {"_TYPER_COMPLETE_ARGS": line, "_FLOODMARK_COMPLETE": "complete_zsh"},
        "fish": {
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "_FLOODMARK_COMPLETE": "complete_fish",
        },
    }[shell]
    done = subprocess.run(
        [FLOODMARK], env={**os.environ, **environment}, cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_is_told_the_targets_that_begin_so(shell, tmp_path):
    told = asked(shell, "floodmark run flask-gunicorn-sy", tmp_path)
    assert "flask-gunicorn-sync-4" in told
    assert "fastapi" not in told


def test_profiles_and_the_folders_of_runs_are_completed(tmp_path):
    run = tmp_path / "runs" / "20260101T000000Z-fastapi-uvicorn-sync-1"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    (tmp_path / "runs" / "2026-notes").mkdir()
    assert asked("bash", "floodmark run fastapi-uvicorn-sync --profile a", tmp_path).split() == ["arrivals"]
    assert asked("bash", "floodmark report runs/2026", tmp_path).split() == [str(run.relative_to(tmp_path))]
    for command in ("report", "compare", "plot"):
        assert asked("bash", f"floodmark {command} 2026", tmp_path).split() == [run.name]


def test_a_folder_of_targets_that_is_not_there_completes_to_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOODMARK_TARGETS", str(tmp_path / "none"))
    assert asked("bash", "floodmark run f", tmp_path).strip() == ""


def test_bash_itself_completes_with_the_script_that_is_shown(tmp_path):
    script = (
        'source <("$1" --show-completion bash)\n'
        "COMP_WORDS=(floodmark run flask-dev-proc) COMP_CWORD=2\n"
        "_floodmark_completion floodmark\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", str(FLOODMARK)],
        env={**os.environ, "PATH": f"{FLOODMARK.parent}:{os.environ['PATH']}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "flask-dev-processes-10" in done.stdout.splitlines()
