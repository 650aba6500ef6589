"""The report as one page that needs nothing else: no script, no reference to anything outside its folder."""

import shlex
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from markupsafe import Markup

from floodmark.analysis.document import Judged
from floodmark.analysis.estimates import agreement_words
from floodmark.core.run_folder import Manifest
from floodmark.report import findings, measures, words
from floodmark.report.memory_words import memory_words
from floodmark.report.page import rows
from floodmark.report.page.beside import FileBeside, reports_of
from floodmark.report.page.figures import figures
from floodmark.report.page.template import lead, page_environment
from floodmark.report.step_rows import step_rows
from floodmark.report.threshold_rows import threshold_rows, threshold_title

if TYPE_CHECKING:
    from jinja2 import Template


def render_html(judged: Judged, manifest: Manifest, *, wide: str = "", files: Sequence[FileBeside] = ()) -> str:
    """The whole page. Everything that comes from outside is escaped, and shown without what does not print.

    `wide` is the waterline at its full width, where it was drawn already; `files` are those beside the page.
    """
    document = judged.document
    verdict = document.verdict
    first, rest = lead(verdict.sentence)
    latency = [(name, times.count, measures.percentile_words(times)) for name, times in measures.latency_rows(document)]
    shown: dict[str, Any] = {
        "document": document,
        "verdict": verdict,
        "manifest": manifest,
        "banner": findings.banner(judged, manifest),
        "lead": first,
        "rest": rest,
        "figures": figures(document),
        "places": findings.place_rows(document),
        "model_words": findings.model_words(verdict),
        "memory": memory_words(document.memory),
        "model_facts": rows.model_facts(verdict),
        "evidence": rows.other_evidence(verdict),
        "agreement": agreement_words(verdict.in_service.estimates),
        "outcomes": findings.outcome_words(document),
        "thresholds": threshold_rows(document),
        "threshold_title": threshold_title(document),
        "sides": rows.side_words(verdict),
        "failures": rows.failure_rows(verdict),
        "latency": latency,
        "in_one_piece": any(name == measures.TIMES["latency"].joined for name, _, _ in latency),
        "percentiles": measures.PERCENTILE_COLUMNS,
        "rate": measures.rate_words(document),
        "agent": measures.agent_words(document),
        "steps": step_rows(document),
        "reports": reports_of(files),
        "checks": rows.checks_in_order(document),
        "plan": words.profile_words(document.profile),
        "limits": rows.limit_rows(document, manifest),
        "measured": rows.measured_rows(document, manifest),
        "notes": rows.note_words(judged, manifest),
        "files": files,
        "sections": rows.section_names(document),
    }
    return _template().render(**shown, **_pictures(judged, wide))


def _pictures(judged: Judged, wide: str) -> dict[str, Markup | None]:
    # Here, not above: the drawing library takes a second to load, and most commands draw nothing.
    from floodmark.report.pictures.catalogue import draw_picture, draw_waterline  # noqa: PLC0415  the reason is above
    from floodmark.report.pictures.size import NARROW, WIDE  # noqa: PLC0415  the reason is above

    drawn = {
        "wide": wide or draw_waterline(judged),
        "narrow": draw_waterline(judged, size=NARROW),
        # Side by side on a wide page: there they have about the width of a narrow one.
        "curve": draw_picture("latency", judged, size=NARROW),
        "split": draw_picture("split", judged, size=NARROW),
        "failed_wide": draw_picture("failures", judged, size=WIDE),
        "failed_narrow": draw_picture("failures", judged, size=NARROW),
    }
    # Drawn by us from escaped text: see floodmark.report.pictures.svg.
    return {name: None if svg is None else Markup(svg) for name, svg in drawn.items()}  # noqa: S704  the reason is above


@cache
def _template() -> "Template":
    environment = page_environment()
    environment.filters |= {
        "count": words.count,
        "quantity": words.quantity,
        "duration": words.duration,
        "link": quote,
        "shell": shlex.join,
    }
    return environment.get_template("report/page.html.j2")
