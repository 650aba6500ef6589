"""`floodmark run --plan FILE.toml`: the options of a run in a file. What they mean is the command's own to say."""

import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer

from floodmark.cli import groups
from floodmark.cli.checks import number_words
from floodmark.core.errors import FloodmarkError, PlanError

FLAG = "--plan"


def read_plan(ctx: typer.Context, value: str) -> str:
    """Has the file's options stand where the command line says nothing; the file's text, none without a file.

    Raises `PlanError` with the file, the line and the remedy.
    """
    if not value or ctx.resilient_parsing:
        return ""
    text = _read(value)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{FLAG} {value}: not valid TOML: {error}") from None
    known = _keys(ctx)
    ctx.default_map = {
        known[key].name: _checked(ctx, known[key], key, found, _place(value, text, key))
        for key, found in table.items()
        if _prove_known(key, known, _place(value, text, key))
    }
    return text


PlanOption = Annotated[
    str,
    typer.Option(
        FLAG,
        metavar="FILE",
        help="A TOML file with options by their names; what is said here as well holds instead.",
        is_eager=True,
        callback=read_plan,
        show_default=False,
        rich_help_panel=groups.WHAT,
    ),
]


def _read(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PlanError(f"{FLAG} {name}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{FLAG} {name}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _keys(ctx: typer.Context) -> dict[str, Any]:
    """The command's parameters by what they are called in a plan: an option that may be repeated has an ``s``."""
    found: dict[str, Any] = {}
    for parameter in ctx.command.params:
        flags = [word for word in parameter.opts if word.startswith("--")]
        name = flags[0].removeprefix("--") if flags else str(parameter.name)
        if name not in ("help", FLAG.removeprefix("--")):
            found[f"{name}s" if flags and _is_list(parameter) else name] = parameter
    return found


def _is_list(parameter: Any) -> bool:
    return bool(getattr(parameter, "multiple", False)) or parameter.nargs != 1


def _prove_known(key: str, known: dict[str, Any], place: str) -> bool:
    if key in known:
        return True
    near = get_close_matches(key.replace("_", "-"), known, n=1)
    words = f"is it {near[0]!r}?" if near else f"there are {', '.join(known)}"
    raise PlanError(f"{place}: `floodmark run` has no option {key!r}; {words}")


def _checked(ctx: typer.Context, parameter: Any, key: str, value: Any, place: str) -> Any:
    """The value, of the kind that the option takes."""
    if _is_list(parameter):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise PlanError(f'{place}: {key} = {value!r}: give a list of texts, as in ["..."]')
    elif getattr(parameter, "is_flag", False):
        if not isinstance(value, bool):
            raise PlanError(f"{place}: {key} = {value!r}: give true or false")
    elif isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise PlanError(f"{place}: {key} = {value!r}: give a number, or a text in quotes")
    try:
        parameter.process_value(ctx, value)
    except FloodmarkError as error:
        raise PlanError(f"{place}: {key}: {error}") from None
    except Exception as error:
        # Typer keeps its own errors to itself: they are told by what they have.
        if not hasattr(error, "format_message"):
            raise
        raise PlanError(f"{place}: {key} = {value!r}: {number_words(str(error.format_message()))}") from None
    return value


def _place(name: str, text: str, key: str) -> str:
    """The file and the line that a key of its first level is in; the file alone where that cannot be seen."""
    begins = re.compile(rf"\s*\[*\s*[\"']?{re.escape(key)}[\"']?\s*[=.\]]")
    for number, line in enumerate(text.splitlines(), start=1):
        if begins.match(line):
            return f"{FLAG} {name}, line {number}"
    return f"{FLAG} {name}"
