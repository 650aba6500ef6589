"""``verdict.json``: the verdict for scripts. Text only; writing it into the run folder is the caller's."""

import json

from floodmark.analysis.document import VerdictDocument
from floodmark.core.codec import to_plain


def to_json(document: VerdictDocument) -> str:
    """The document as JSON in the order of its records, ASCII only, with a newline at its end."""
    return json.dumps(to_plain(document), indent=2) + "\n"
