"""Judged runs and recordings for the tests of the output formats: the report's cases, with thresholds beside them."""

import dataclasses
from functools import cache

from judged_cases import CASES
from simulated import Server, Simulation
from simulated_steady import SteadySimulation

from floodmark.analysis.document import Judged, ThresholdResult
from floodmark.analysis.metrics import metrics_of
from floodmark.core.outcomes import Outcome
from floodmark.core.profile import ArrivalsProfile
from floodmark.core.run_folder import CLOCKS, SAMPLES, SECONDS, WORKERS, Recording, RunFolder


def judged(name: str) -> Judged:
    """A case with three thresholds: one met, one missed, one on a number that the run may not know."""
    found = CASES[name]()
    return dataclasses.replace(found, document=dataclasses.replace(found.document, thresholds=_thresholds(found)))


def _thresholds(found: Judged) -> tuple[ThresholdResult, ...]:
    metrics = metrics_of(found.document)
    peak, failed = metrics["target.in_service.peak"].value, metrics["http_req_failed.rate"].value
    p95_s = metrics["http_req_duration.p95"].value
    return (
        ThresholdResult(
            threshold="target.in_service.peak >= 1",
            metric="target.in_service.peak",
            value=peak,
            ok=True,
            words=f"{peak:,} requests, at least 1 wanted",
        ),
        ThresholdResult(
            threshold="http_req_failed: rate<0",
            metric="http_req_failed.rate",
            value=failed,
            ok=False,
            words=f"{failed}, less than 0 wanted",
        ),
        ThresholdResult(
            threshold="http_req_duration: p(95)<60000",
            metric="http_req_duration.p95",
            value=p95_s,
            ok=p95_s is not None,
            words="not known, below 60 s wanted" if p95_s is None else f"{p95_s:.3f} s, below 60 s wanted",
        ),
    )


@cache
def burst_recording() -> Recording:
    """200 requests to a server of forty slots."""
    return Simulation(server=Server(slots=40), requests=200, hold_s=2.0).record()


@cache
def steady_recording() -> Recording:
    """Three seconds of arrivals over two workers, more than forty slots can take."""
    profile = ArrivalsProfile(rate=420.0, duration_s=3.0, timeout_s=1.0, connections=2_000, hold_s=0.1)
    simulation = SteadySimulation(profile=profile, slots=40, service_s=0.1, workers=2, fails=Outcome.SERVER_ERROR)
    return simulation.record()


RECORDINGS = {"burst": burst_recording, "arrivals": steady_recording}


def kept(recording: Recording, folder: RunFolder) -> RunFolder:
    """The run folder that leaves this recording."""
    folder.create()
    folder.write_manifest(recording.manifest)
    folder.append_hits(list(recording.hits))
    for name, records in (
        (SAMPLES, recording.samples),
        (WORKERS, recording.workers),
        (CLOCKS, recording.clocks),
        (SECONDS, recording.seconds),
    ):
        folder.append(name, list(records))
    folder.close()
    return folder
