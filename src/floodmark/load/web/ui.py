"""Floodmark in Locust's web UI: a tab, a bar with the state and the links, a start form that refuses early.

Of Locust it uses what is there for it: `template_args`, the routes' names, `auth_required_if_enabled`. The page of our
own is ``pages``'.
"""

import copy
import json
import logging
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from flask import Response, jsonify, request
from locust.argument_parser import ui_extra_args_dict

from floodmark.core.errors import FloodmarkError, UsageError
from floodmark.core.profile import prove_workers
from floodmark.load.options import read_load_options
from floodmark.load.refusals import note_refusal
from floodmark.load.web.pages import Fresh, Shown, add_pages
from floodmark.load.web.tables import TAB_COLUMNS, tab_rows

logger = logging.getLogger(__name__)

TAB = "floodmark"
INDEX, STATS, SWARM = "locust.index", "locust.request_stats", "locust.swarm"
"""Locust's own routes, by the names that it gives them."""

LOCUSTS_FIELDS = frozenset({"user_count", "spawn_rate", "host", "run_time", "profile", "user_classes", "shape_class"})
"""What Locust's own part of the form may send."""

_HEAD = (
    '<link rel="stylesheet" href="./floodmark/static/floodmark.css">'
    '<script type="module" src="./floodmark/static/bar.js"></script>'
)


def join_web_ui(environment: Any, board: Shown, kind: str | None) -> None:
    """Adds all of it to the master's web UI, before that takes its first request. `kind` None: no profile of ours."""
    ui, fresh = environment.web_ui, Fresh(board)
    # The form's fields come in the order in which they were added, the load's size first; else by the alphabet.
    ui.app.jinja_env.policies["json.dumps_kwargs"] = {"sort_keys": False}
    add_pages(ui, fresh)
    _add_tab(ui)
    ui.app.after_request(_extender(fresh))
    if kind is not None:
        views = ui.app.view_functions
        views[SWARM] = ui.auth_required_if_enabled(_early(kind, environment, views[SWARM]))


def _add_tab(ui: Any) -> None:
    """Beside those that a locustfile has added."""
    structure = [{"key": key, "title": title} for key, title in TAB_COLUMNS.items()]
    added: dict[str, dict[str, Any]] = {
        "extended_tabs": {"key": TAB, "title": "Target"},
        "extended_tables": {"key": TAB, "structure": structure},
        "extended_csv_files": {
            "href": "./floodmark/live.json",
            "title": "Download the target's curves and tables (JSON)",
        },
    }
    for name, entry in added.items():
        ui.template_args[name] = [*ui.template_args.get(name, []), entry]


def _extender(board: Shown) -> Callable[[Response], Response]:
    def extend(response: Response) -> Response:
        if response.status_code != 200:  # noqa: PLR2004 - what is refused, or sent to the login, stays as it is
            return response
        if request.endpoint == STATS:
            return _with_rows(response, tab_rows(board.page().tables))
        if request.endpoint == INDEX:
            page = response.get_data(as_text=True)
            response.set_data(page.replace("</head>", _HEAD + "</head>", 1))
        return response

    return extend


def _with_rows(response: Response, rows: list[dict[str, str]]) -> Response:
    """Locust keeps the response for two seconds and hands it out again: what is ours in it is replaced."""
    data = response.get_json()
    others = [entry for entry in data.get("extended_stats", []) if entry["key"] != TAB]
    response.set_data(json.dumps({**data, "extended_stats": [*others, {"key": TAB, "data": rows}]}))
    return response


def _early(kind: str, environment: Any, swarm: Callable[[], Response]) -> Callable[[], Response]:
    """Locust's start, which begins no test for a plan that cannot be meant: the form shows why."""

    @wraps(swarm)
    def start() -> Response:
        try:
            _prove(kind, environment, request.form)
        except FloodmarkError as error:
            logger.error("%s", error)  # noqa: TRY400 - a user's error is one line, no traceback
            note_refusal(environment, str(error))
            return jsonify({"success": False, "message": str(error), "host": environment.host})
        return swarm()

    return start


def _prove(kind: str, environment: Any, form: Mapping[str, str]) -> None:
    """Reads the options as the run will. Raises `UsageError`.

    Locust lets a form change every option by its name, those too that it does not show, as where a run is kept.
    """
    parsed = copy.copy(environment.parsed_options)
    shown = set(ui_extra_args_dict()) | LOCUSTS_FIELDS
    for name, value in form.items():
        if name not in shown:
            raise UsageError(f"{name}: the start form has no such field; give it on the master's command line")
        setattr(parsed, name, value)
    options = read_load_options(kind, parsed, form.get("host", environment.host))
    prove_workers(options.profile, environment.runner.worker_count)
