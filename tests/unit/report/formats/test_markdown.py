"""The Markdown summary: texts from a server, a file or a user are texts there, whatever they try."""

import dataclasses

import pytest
from export_cases import judged
from hypothesis import given
from hypothesis import strategies as st
from judged_builder import manifest_for
from markdown_it import MarkdownIt

from floodmark.analysis.document import Check, Failure, ThresholdResult, Validity
from floodmark.report.formats.markdown import _code, _text, to_markdown
from floodmark.report.words import printable

HOSTILE = (
    "[a link](http://evil.example/)",
    "![a picture](http://evil.example/x.png)",
    "<script>alert(1)</script> <img src=x onerror=y>",
    "<!-- nobody sees this",
    "<!-- hidden by a mention's own comment @",
    "a | b || c",
    "`code` and ``` fences ``` and `",
    "**bold** __bold__ *a* _b_ ~~gone~~",
    "# a heading\n## another\n\n---\n",
    "- a list\n1. another",
    "> quoted",
    "&lt;b&gt; &#124; &copy;",
    "back\\slashes \\| \\`",
    "$$\\href{x}{y}$$ and $`x`$",
    "[x]: http://evil.example/",
    "\x1b[31m \x00 \u202e",
)
READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
STRUCTURE = {"link_open", "image", "strong_open", "em_open", "s_open", "code_inline", "softbreak", "hardbreak"}
OUR_COMMENT = "<!-- -->"


def inline(text):
    """The one paragraph of a text: what it shows, and what in it is more than text."""
    tokens = READER.parse(text)
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"], text
    children = tokens[1].children
    shown = "".join(child.content for child in children if child.type in {"text", "text_special", "code_inline"})
    more = [child.type for child in children if child.type in STRUCTURE]
    html = [child.content for child in children if child.type == "html_inline"]
    return shown, more, html


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_are_shown_as_they_are(words):
    shown, more, html = inline(f"x {_text(words)}")
    assert shown == f"x {printable(words)}"
    assert "<" not in _text(words).replace(OUR_COMMENT, "")
    assert more == []
    assert set(html) <= {OUR_COMMENT}


@given(st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from("[]()<>`*_|\\#~!$&@-+.:/ \n"), min_size=1))
def test_any_words_are_shown_as_they_are(words):
    shown, more, html = inline(f"x {_text(words)} x")
    assert shown == f"x {printable(words)} x"
    assert more == []
    assert set(html) <= {OUR_COMMENT}


@given(st.text(alphabet=st.sampled_from("` ab\\|<[\n"), min_size=1).filter(lambda text: text.strip()))
def test_any_code_is_shown_as_it_is(words):
    shown, more, html = inline(f"x {_code(words)} x")
    assert (shown, more, html) == (f"x {printable(words)} x", ["code_inline"], [])


@pytest.mark.parametrize("words", ["@somebody", "see http://evil.example", "https://a.example", "www.evil.example"])
def test_nothing_becomes_a_mention_or_a_link_of_bare_words(words):
    text = _text(words)
    assert words not in text
    assert not any(bare in text for bare in ("@s", "http://", "https://", "www."))


def test_a_page_of_hostile_words_has_the_blocks_of_any_other():
    found = judged("failures")
    words = " ".join(HOSTILE)
    document = dataclasses.replace(
        found.document,
        target=words,
        thresholds=(ThresholdResult(threshold=words, metric="x", value=None, ok=False, words=words),),
        validity=Validity(ok=False, checks=(Check(name=words, ok=False, words=words),)),
        verdict=dataclasses.replace(
            found.document.verdict,
            sentence=words,
            advice=(words,),
            failures=(Failure(kind="reset", side="target", count=1, example=words),),
        ),
    )
    text = to_markdown(dataclasses.replace(found, document=document), manifest_for(found, problems=(words,)))
    tokens = READER.parse(text)
    kinds = [token.type for token in tokens]
    assert not {"html_block", "fence", "code_block", "hr"} & set(kinds)
    assert kinds.count("table_open") == 2
    assert kinds.count("heading_open") == 6
    children = [child for token in tokens if token.type == "inline" for child in token.children]
    assert not [child for child in children if child.type in {"link_open", "image"}]
    assert {child.content for child in children if child.type == "html_inline"} <= {OUR_COMMENT}
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {4}


def test_a_page_stays_small_whatever_a_server_says():
    found = judged("failures")
    long = Failure(kind="reset", side="target", count=1, example="x" * 1_000_000)
    verdict = dataclasses.replace(found.document.verdict, failures=(long,))
    document = dataclasses.replace(found.document, verdict=verdict)
    assert len(to_markdown(dataclasses.replace(found, document=document), manifest_for(found))) < 20_000
