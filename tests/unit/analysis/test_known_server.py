"""A server of no target is known by its command lines, and what is known is held against what was measured."""

from dataclasses import replace

import pytest
from simulated import Server, Simulation
from simulated_steady import SteadySimulation

from floodmark.analysis.document import Judgement, Unit
from floodmark.analysis.judge import judge
from floodmark.analysis.known_server import Measured, recognise
from floodmark.core.command_line import CommandLine
from floodmark.core.profile import ClosedProfile
from floodmark.core.run_folder import Manifest
from floodmark.core.target import ExpectSpec
from floodmark_deploy.zoo import known_servers

ZOO = known_servers()
SPAWNED = "/usr/bin/python3 -c from multiprocessing.spawn import spawn_main; spawn_main(...)"
TRACKER = "/usr/bin/python3 -c from multiprocessing.resource_tracker import main;main(...)"
PLAIN = Simulation(server=Server(slots=1), requests=1).record().manifest


def lines(*words: str, processes: int = 1) -> tuple[CommandLine, ...]:
    return tuple(
        CommandLine(words=line, pids=tuple(range(100 * number, 100 * number + processes)))
        for number, line in enumerate(words, start=1)
    )


def manifest_of(*words: str, processes: int = 1) -> Manifest:
    return replace(PLAIN, commands=lines(*words, processes=processes))


def found(at_once: int | None, unit: Unit | None, *words: str, processes: int = 1):
    return recognise(manifest_of(*words, processes=processes), Measured(at_once=at_once, unit=unit), ZOO)


def verdict(server: Server, *words: str, processes: int = 1) -> Judgement:
    recording = Simulation(server=server, requests=100, hold_s=1.0).record()
    manifest = replace(recording.manifest, commands=lines(*words, processes=processes))
    return judge(replace(recording, manifest=manifest), ZOO).document.verdict


def test_the_verdict_names_the_server_its_number_why_and_the_knob():
    said = verdict(Server(slots=25), "/usr/bin/python3 /usr/bin/gunicorn -k gthread --threads 25 app:app", processes=2)
    assert said.known is not None
    assert (said.known.target, said.known.number, said.known.agrees) == ("flask-gunicorn-gthread-10", 25, True)
    assert said.advice[0].startswith(
        "This is gunicorn with the gthread worker, with --threads 25 on its command line, which is the number that was"
        " measured. gunicorn's gthread worker accepts in its main thread"
    )
    assert said.advice[1].startswith("--threads N moves the number")
    assert said.sentence.endswith("What moves the 25: gunicorn's --threads, --workers.")


def test_of_a_number_that_does_not_agree_both_are_told_and_nothing_moves_it():
    said = verdict(Server(slots=20), "gunicorn --threads 25 -w 2 app:app", processes=3)
    assert said.known is not None
    assert (said.known.number, said.known.agrees) == (50, False)
    assert (
        "with --threads 25 on its command line, in each of 2 processes: 50 at once; 20 were measured: something else"
        " bounds it first"
    ) in said.advice[0]
    assert "What moves" not in said.sentence
    more = found(60, Unit.THREAD, "gunicorn --threads 25 -w 2 app:app")
    assert "60 were measured: a configuration file or the environment may say otherwise" in more.server.words


def test_more_in_service_than_the_number_allows_does_not_agree_though_no_ceiling_was_seen():
    manifest = manifest_of("gunicorn --threads 25 app:app")
    beyond = recognise(manifest, Measured(at_once=None, unit=Unit.THREAD, peak=60), ZOO)
    assert "; at least 60 were in service: a configuration file" in beyond.server.words
    assert beyond.server.agrees is False
    below = recognise(manifest, Measured(at_once=None, unit=Unit.THREAD, peak=26), ZOO)
    assert below.server.words.endswith("command line; up to 26 were in service, and no ceiling was seen.")
    assert below.server.agrees is None
    assert below.tells.why


def test_without_known_servers_or_command_lines_the_verdict_is_as_before():
    recording = Simulation(server=Server(slots=7), requests=100, hold_s=1.0).record()
    plain = judge(recording, ()).document
    assert judge(recording, ZOO).document == plain
    told = replace(recording, manifest=replace(recording.manifest, commands=lines("gunicorn --threads 7 app:app")))
    assert judge(told).document == plain
    unknown = replace(recording, manifest=replace(recording.manifest, commands=lines("/srv/own-server --threads 7")))
    assert judge(unknown, ZOO).document == plain


def test_a_target_that_says_what_it_is_needs_no_recognition():
    own = replace(manifest_of("gunicorn --threads 7 app:app"), expect=ExpectSpec(why="I wrote it."))
    assert recognise(own, Measured(at_once=7, unit=Unit.THREAD), ZOO) is None


@pytest.mark.parametrize(
    ("words", "unit", "at_once", "target", "number"),
    [
        ("python -m gunicorn -w4 app:app", Unit.PROCESS, 4, "flask-gunicorn-sync-4", 4),
        ("/usr/bin/python3 /opt/bin/gunicorn --threads=8 app:app", Unit.THREAD, 8, "flask-gunicorn-gthread-10", 8),
        ("gunicorn -k gevent app:app", Unit.EVENT_LOOP, 1000, "flask-gunicorn-gevent-connections-100", 1000),
        ("gunicorn -k uvicorn.workers.UvicornWorker a:b", Unit.EVENT_LOOP, None, "fastapi-gunicorn-uvicorn-2", None),
        ("gunicorn -w 2 -k uvicorn_worker.UvicornWorker a:b", Unit.THREAD, 80, "fastapi-uvicorn-sync", 80),
        ("python -m uvicorn --port 8000 main:app", Unit.THREAD, 40, "fastapi-uvicorn-sync", 40),
        ("python -m uvicorn --port 8000 main:app", Unit.EVENT_LOOP, None, "fastapi-uvicorn-async", None),
        ("python -m uvicorn --port 8000 main:app", Unit.EVENT_LOOP, 1, "fastapi-uvicorn-async-blocking", 1),
        ("python -m uvicorn --workers 2 main:app", Unit.PROCESS, 2, "fastapi-uvicorn-async-blocking", 2),
        ("fastapi run main.py", Unit.EVENT_LOOP, None, "fastapi-uvicorn-async", None),
        ("hypercorn -w 3 main:app", Unit.THREAD, 120, "fastapi-hypercorn-asyncio-sync", 120),
        ("hypercorn -k uvloop main:app", Unit.EVENT_LOOP, None, "fastapi-hypercorn-async-workers-2", None),
        ("hypercorn -k trio main:app", Unit.THREAD, 40, "fastapi-hypercorn-trio-sync", 40),
        ("hypercorn --worker-class=trio main:app", Unit.EVENT_LOOP, None, "fastapi-hypercorn-trio-async", None),
        ("granian --interface wsgi --blocking-threads 9 a:b", Unit.THREAD, 9, "flask-granian", 9),
        ("granian --interface wsgi a:b", Unit.THREAD, 512, "flask-granian", 512),
        ("granian --backpressure 9 --workers 2 a:b", Unit.EVENT_LOOP, 18, "fastapi-granian-async", 18),
        ("granian --interface asgi a:b", Unit.EVENT_LOOP, 1024, "fastapi-granian-async", 1024),
        ("python -m waitress app:app", Unit.THREAD, 4, "flask-waitress", 4),
        ("uwsgi --http :80 -p 2 --threads 5 --module a", Unit.THREAD, 10, "flask-uwsgi-threads-10", 10),
        ("python -m flask --app a run", Unit.THREAD, None, "flask-dev-threaded", None),
        ("flask run --without-threads", Unit.PROCESS, 1, "flask-dev-single", 1),
        ("nginx: master process /usr/sbin/nginx", Unit.EVENT_LOOP, None, "openresty", None),
        ("/srv/bin/sanic app:app --workers 4", Unit.EVENT_LOOP, None, "sanic-fast", None),
    ],
)
def test_real_command_lines_lead_to_the_target_with_the_knowledge(words, unit, at_once, target, number):
    said = found(at_once, unit, words)
    assert (said.server.target, said.server.number, said.server.agrees) == (target, number, True)
    assert said.tells.why


@pytest.mark.parametrize(
    "words",
    [
        "vim gunicorn.conf.py",
        "/srv/gunicorn/bin/python app.py",
        "tail -f uvicorn.log",
        "postgres -D /srv/flask",
        "go run",
    ],
)
def test_what_only_has_the_name_in_it_is_not_the_server(words):
    assert found(4, Unit.THREAD, words) is None


def test_the_last_of_an_option_given_twice_counts():
    assert found(9, None, "gunicorn --threads 25 --threads 9 app:app").server.agrees is True


def test_a_supervisors_options_are_found_beside_its_spawned_children():
    said = found(80, Unit.THREAD, TRACKER, SPAWNED, "python -m uvicorn --workers 2 main:app")
    assert (said.server.target, said.server.number, said.server.agrees) == ("fastapi-uvicorn-sync", 80, True)


def test_a_number_of_processes_from_the_environment_is_believed_where_they_were_seen_and_explain_the_number():
    forked = found(4, Unit.PROCESS, "gunicorn app:app", processes=5)
    assert forked.server.agrees is True
    assert "--workers is not set; its default is 1, in each of 4 processes: 4 at once" in forked.server.words
    other = found(2, Unit.PROCESS, "gunicorn app:app", processes=5).server
    assert (other.number, other.agrees) == (1, False)
    spawned = replace(PLAIN, commands=(*lines("uvicorn main:app"), CommandLine(words=SPAWNED, pids=(8, 9))))
    assert recognise(spawned, Measured(at_once=80, unit=Unit.THREAD), ZOO).server.agrees is True


@pytest.mark.parametrize("program", ["uvicorn", "hypercorn", "hypercorn -k trio"])
@pytest.mark.parametrize(("at_once", "peak"), [(6, 6), (None, 30), (None, 300), (200, 200)])
def test_of_a_frameworks_default_nothing_is_told_but_where_it_was_measured(program, at_once, peak):
    measured = Measured(at_once=at_once, unit=Unit.THREAD, peak=peak)
    said = recognise(manifest_of(f"{program} site.asgi:application"), measured, ZOO)
    assert said.server.words.startswith("This is ")
    assert said.server.words.endswith(", by its command line.")
    assert (said.server.number, said.server.agrees, said.tells) == (None, None, ExpectSpec())
    assert said.advice == (said.server.words,)


def test_a_frameworks_default_that_was_measured_is_told():
    said = found(40, Unit.THREAD, "uvicorn main:app")
    assert "AnyIO's total_tokens is 40 unless the application sets it, which is the number" in said.server.words
    assert said.tells.why.startswith("FastAPI runs a def handler in a thread")


@pytest.mark.parametrize(("at_once", "agrees"), [(79, True), (81, True), (70, False), (90, False)])
def test_a_number_is_held_against_the_measured_one_with_the_tolerance_of_all_estimates(at_once, agrees):
    said = found(at_once, Unit.THREAD, "gunicorn --threads 40 -w 2 app:app")
    assert said.server.agrees is agrees
    assert (f"80 at once, which agrees with the {at_once} that were measured." in said.server.words) is agrees
    spawned = replace(PLAIN, commands=(*lines("uvicorn main:app"), CommandLine(words=SPAWNED, pids=(8, 9))))
    seen = recognise(spawned, Measured(at_once=at_once, unit=Unit.THREAD), ZOO)
    assert (seen.server.number == 80) is agrees


def test_a_server_that_refuses_at_its_limit_serves_one_less_in_each_process():
    words = "uvicorn --limit-concurrency 500 --workers 2 main:app"
    said = recognise(manifest_of(words), Measured(at_once=None, unit=Unit.EVENT_LOOP, peak=998), ZOO)
    assert said.server.target == "fastapi-uvicorn-async-limit-concurrency-100"
    assert said.server.words == (
        "This is uvicorn with --limit-concurrency, with --limit-concurrency 500 on its command line, in each of 2"
        " processes: 998 at once; up to 998 were in service, and no ceiling was seen."
    )
    assert said.server.number == 998
    assert "one less than --limit-concurrency says" in said.tells.why
    alone = found(None, Unit.EVENT_LOOP, "uvicorn --limit-concurrency 500 main:app").server
    assert alone.words.endswith("with --limit-concurrency 500 on its command line: 499 at once; no ceiling was seen.")


@pytest.mark.parametrize("option", ["--workers 2", "--backlog 2048", "--backpressure=600"])
def test_a_default_that_other_options_decide_on_is_not_told_as_the_number(option):
    said = found(300, Unit.THREAD, f"granian --interface wsgi {option} app:app")
    assert said.server.words == "This is granian with a WSGI application, by its command line."
    assert (said.server.number, said.server.agrees) == (None, None)
    assert "divided by --workers" in said.tells.why
    assert found(512, Unit.THREAD, "granian --interface wsgi --workers 1 a:b").server.agrees is True


def test_what_ran_the_requests_goes_before_the_command_line():
    said = found(8, Unit.THREAD, "gunicorn -c /srv/gunicorn.conf.py app:app")
    assert said.server.words.startswith(
        "By its command line this is gunicorn with the sync worker, but a thread ran each request"
    )
    assert said.tells == ExpectSpec()


def test_who_ran_the_requests_not_seen_no_kind_of_handler_is_claimed():
    said = found(None, None, "uvicorn main:app")
    assert said.advice == ("This is uvicorn, by its command line.",)


def test_a_title_in_place_of_a_command_line_names_the_program_only():
    said = found(4, Unit.PROCESS, "gunicorn: master [app:app]", "gunicorn: worker [app:app]")
    assert said.advice == ("This is gunicorn, by the title of its process, which does not say its options.",)
    assert said.server.number is None


@pytest.mark.parametrize("words", ["gunicorn --env-token *** app:app", "gunicorn app:app"])
def test_an_option_that_may_be_hidden_or_cut_off_is_not_said_to_be_missing(words):
    line = CommandLine(words=words, pids=(1,), cut="***" not in words)
    assert recognise(replace(PLAIN, commands=(line,)), Measured(at_once=1, unit=Unit.PROCESS), ZOO) is None
    hidden = CommandLine(words=f"{words} -k gevent", pids=(1,), cut="***" not in words)
    said = recognise(replace(PLAIN, commands=(hidden,)), Measured(at_once=9, unit=Unit.EVENT_LOOP), ZOO)
    assert (said.server.server, said.server.number) == ("gunicorn with the gevent worker", None)


def test_of_two_that_fit_alike_the_first_known_is_taken_whatever_its_name():
    twins = [replace(spec, name=name) for spec in ZOO if spec.name == "flask-waitress" for name in ("b", "a", "c")]
    for order in (twins, twins[::-1]):
        said = recognise(manifest_of("waitress-serve app:app"), Measured(at_once=4, unit=Unit.THREAD), order)
        assert said.server.target == order[0].name


def test_a_mean_is_not_held_against_the_number():
    measured = Measured(at_once=None, unit=Unit.THREAD, is_count=False)
    said = recognise(manifest_of("gunicorn --threads 7 -w 2 app:app"), measured, ZOO)
    assert said.server.words.endswith("with --threads 7 on its command line, in each of 2 processes: 14 at once.")


def test_under_a_steady_load_the_knob_is_told_where_requests_waited_behind_that_number():
    plan = {"connections": 100, "duration_s": 5.0, "timeout_s": 5.0, "hold_s": 0.1}
    recording = SteadySimulation(profile=ClosedProfile(**plan), slots=40, service_s=0.1).record()

    def advice(words: str) -> tuple[str, ...]:
        manifest = replace(recording.manifest, commands=lines(words))
        return judge(replace(recording, manifest=manifest), ZOO).document.verdict.advice

    agreed = advice("gunicorn --threads 40 app:app")
    assert agreed[0].startswith(
        "This is gunicorn with the gthread worker, with --threads 40 on its command line. gunicorn"
    )
    assert agreed[1].startswith("--threads N moves the number")
    assert advice("gunicorn --threads 80 app:app")[0].endswith("with --threads 80 on its command line.")
    anyio = advice("uvicorn main:app")
    assert anyio[0].startswith("This is uvicorn, by its command line. FastAPI runs a def handler in a thread")
