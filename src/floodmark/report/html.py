"""The report as one page that needs nothing else: no script, no reference to anything outside it."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from floodmark.analysis.document import Judged
from floodmark.analysis.estimates import agreement_words
from floodmark.core.run_folder import Manifest
from floodmark.core.sample import TargetLimits
from floodmark.report import measures, page, words
from floodmark.report.memory_words import memory_words
from floodmark.report.step_rows import step_rows
from floodmark.report.svg import FONTS


def render_html(judged: Judged, manifest: Manifest, *, wide: str = "") -> str:
    """The whole page. Everything that comes from outside is escaped, and shown without what does not print.

    `wide` is the picture at its full width, where it was drawn already.
    """
    # Here, not above: the drawing library takes a second to load, and most commands draw nothing.
    from floodmark.report.picture import NARROW, WIDE  # noqa: PLC0415  the reason is above
    from floodmark.report.waterline import draw_waterline  # noqa: PLC0415  the reason is above

    document = judged.document
    verdict = document.verdict
    first, rest = page.lead(verdict.sentence)
    return _template().render(
        judged=judged,
        document=document,
        verdict=verdict,
        manifest=manifest,
        banner=page.banner(judged, manifest),
        lead=first,
        rest=rest,
        figures=page.figures(document),
        # Drawn by us from escaped text: see floodmark.report.svg.
        wide=Markup(wide or draw_waterline(judged, size=WIDE)),  # noqa: S704  the reason is above
        narrow=Markup(draw_waterline(judged, size=NARROW)),  # noqa: S704  the reason is above
        places=page.place_rows(document),
        model_words=page.model_words(verdict),
        memory=memory_words(document.memory),
        model_facts=page.model_facts(verdict),
        evidence=page.other_evidence(verdict),
        agreement=agreement_words(verdict.in_service.estimates),
        outcomes=page.outcome_words(document),
        latency=[
            (name, times.count, measures.percentile_words(times)) for name, times in measures.latency_rows(document)
        ],
        percentiles=measures.PERCENTILE_COLUMNS,
        rate=measures.rate_words(document),
        release=measures.release_words(document),
        clocks=measures.clock_words(document),
        agent=measures.agent_words(document),
        steps=step_rows(document),
        checks=page.checks_in_order(document),
        plan=words.profile_words(document.profile),
        limits=_limit_rows(manifest.limits),
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("floodmark.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": words.count,
        "quantity": words.quantity,
        "duration": words.duration,
        "kind": words.kind_words,
    }
    environment.globals["fonts"] = Markup(FONTS)  # noqa: S704  a constant of ours, inside the page's style
    return environment.get_template("report.html.j2")


def _finalized(value: Any) -> Any:
    return words.printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _limit_rows(limits: TargetLimits | None) -> list[tuple[str, str]]:
    if limits is None:
        return []
    named = [
        ("open files per process", limits.open_files),
        ("processes and threads of the user", limits.processes),
        ("cgroup pids.max", limits.pids_max),
        ("net.core.somaxconn", limits.somaxconn),
        ("net.ipv4.tcp_max_syn_backlog", limits.tcp_max_syn_backlog),
        ("net.ipv4.tcp_syncookies", limits.tcp_syncookies),
        ("net.ipv4.tcp_abort_on_overflow", limits.tcp_abort_on_overflow),
    ]
    return [(name, words.count(value)) for name, value in named]
