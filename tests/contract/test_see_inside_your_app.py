"""The examples in docs/howto/see-inside-your-app.md, as they stand, on real servers."""

import re
import secrets
import time
from pathlib import Path

import pytest

from floodmark.core.address import Address
from floodmark.core.hit import Hit
from floodmark.core.request_spec import RequestSpec
from floodmark.core.target import ReadySpec, StartSpec, TargetSpec
from floodmark.engine.burst import Burst, BurstWork, run_burst
from floodmark.engine.check import AnswerCheck
from floodmark.engine.dial import dial_to
from floodmark.engine.request import render_get
from floodmark_deploy.local import LocalShell
from floodmark_deploy.target_process import start_target

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "see-inside-your-app.md"
HOST = "127.0.0.1"
ANSWER_TIMEOUT_S = 60.0
POOL = 40
"""AnyIO's default limiter."""

pytestmark = pytest.mark.live


def _example(number: int) -> str:
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)[number]


def _served(folder: Path, app: str, command: tuple[str, ...], path: str, requests: int) -> list[Hit]:
    """Starts the application, sends it requests at once, and stops it."""
    (folder / "app.py").write_text(app, encoding="utf-8")
    spec = TargetSpec(
        name="own",
        summary="",
        start=StartSpec(command=("{python}", "-m", *command)),
        ready=ReadySpec(path=path),
        request=RequestSpec(path=path, contains="done"),
        folder=str(folder),
    )
    marker = f"inside-{secrets.token_hex(4)}"
    log = folder / "target.log"
    with LocalShell() as shell:
        target = start_target(
            spec, shell, host=HOST, run_log=log, marker=marker, clock=time.monotonic, sleep=time.sleep
        )
        hits = _flood(target.address, path, requests)
        target.stop()
    return hits


def _flood(address: Address, path: str, requests: int) -> list[Hit]:
    now_s, dial = time.monotonic(), dial_to(address)
    work = BurstWork(
        worker="test",
        dial=dial,
        requests=tuple((number, now_s) for number in range(requests)),
        render=render_get(path, dial.endpoint.authority),
        check=AnswerCheck(text=b"done"),
        timeout_s=ANSWER_TIMEOUT_S,
    )
    return run_burst(Burst(work), timeout_s=ANSWER_TIMEOUT_S)


def test_fastapis_def_handlers_are_seen_in_their_40_threads_and_not_while_they_wait_for_one(tmp_path: Path) -> None:
    uvicorn = ("uvicorn", "--host", "{host}", "--port", "{port}", "--log-level", "warning", "app:app")
    example, hold = _example(0), "time.sleep(0.25)"
    assert hold in example
    # As long as it takes until all threads are there, however busy this machine is.
    hits = _served(tmp_path, example.replace(hold, "time.sleep(1.5)"), uvicorn, "/report", 2 * POOL)
    runs = [(hit.handler_begin_s or 0.0, hit.handler_end_s or 0.0) for hit in hits]
    assert len({hit.tid for hit in hits}) == POOL
    assert max(sum(begin_s <= one_s < end_s for begin_s, end_s in runs) for one_s, _ in runs) == POOL


def test_flask_says_which_process_and_thread_ran_its_handler(tmp_path: Path) -> None:
    app = _example(1) + '\n\n@app.get("/report")\ndef report():\n    return "done"\n'
    gunicorn = ("gunicorn", "-b", "{host}:{port}", "--no-control-socket", "app:app")
    hits = _served(tmp_path, app, gunicorn, "/report", 3)
    assert {(hit.pid, hit.thread) for hit in hits} == {(hits[0].tid, "MainThread")}
