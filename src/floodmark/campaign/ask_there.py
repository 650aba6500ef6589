"""Run on a worker's host: can it carry its part of the load, and does the server answer it? Asks, and starts nothing.

``python -m floodmark.campaign.ask_there`` takes a `Question` from stdin and prints an `Answer`, both as JSON.
"""

import json
import sys
from dataclasses import dataclass, field, replace

from floodmark.campaign.local import prove_sources_of_host
from floodmark.campaign.probe import probe, prove_listening
from floodmark.core.address import Address
from floodmark.core.codec import from_plain, to_plain
from floodmark.core.errors import FloodmarkError, LimitError
from floodmark.core.request_spec import RequestSpec
from floodmark.core.run_folder import HoldProbe
from floodmark_deploy.host_facts import read_host_facts
from floodmark_deploy.limits import LoadPlan, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`connections` at once from `workers` of this host, each of which may open `open_files`.

    `asks_alone`: requests are sent one by one, as `probe` does; else it is only proven that somebody listens. The rest
    is as `probe` has it.
    """

    address: Address
    request: RequestSpec
    verify: bool
    limit_s: float | None
    forgiving: bool
    asks_alone: bool
    sources: tuple[str, ...]
    connections: int
    workers: int
    open_files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`problem` empty: the load may come."""

    problem: str = ""
    found: HoldProbe = field(default_factory=HoldProbe)


def answer(question: Question) -> Answer:
    """What there is to say of this host, and of the server as seen from it."""
    try:
        own = prove_sources_of_host(question.sources, question.address)
        prove_limits_of_host(question, max(1, len(own)))
        if question.asks_alone:
            return Answer(found=_probe(question))
        prove_listening(question.address, verify=question.verify)
    except FloodmarkError as error:
        return Answer(problem=str(error))
    return Answer()


def prove_limits_of_host(question: Question, sources: int) -> None:
    """Raises `LimitError` naming the first limit of this host that its part of the load goes beyond, and the remedy."""
    facts = replace(read_host_facts(), nofile_hard=question.open_files)
    load = LoadPlan(connections=question.connections, workers=question.workers, sources=sources)
    for finding in judge(facts, load):
        if finding.blocking and not finding.ok:
            raise LimitError(
                f"{question.connections:,} connections at once from here need {finding.name} {finding.need:,}, and this"
                f" host allows {finding.have:,}: {finding.remedy}"
            )


def _probe(question: Question) -> HoldProbe:
    return probe(
        question.address,
        question.request,
        verify=question.verify,
        limit_s=question.limit_s,
        forgiving=question.forgiving,
    )


if __name__ == "__main__":
    print(json.dumps(to_plain(answer(from_plain(Question, json.load(sys.stdin), "stdin")))))  # noqa: T201 - its own command line
