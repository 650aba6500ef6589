"""The report's links to the files beside it: they hold when the folder is moved, and name what is there alone."""

from html.parser import HTMLParser
from urllib.parse import unquote

from judged_builder import manifest_for
from judged_cases import fastapi_sync
from steady_cases import search

from floodmark.report.page.beside import files_beside
from floodmark.report.page.html import render_html


class Links(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.found.append(dict(attrs)["href"])


def links_of(judged, folder):
    html = render_html(judged, manifest_for(judged), files=files_beside(folder))
    return [link for link in Links(html).found if not link.startswith("#")]


def test_every_file_of_the_folder_is_linked_by_a_path_that_holds_when_the_folder_is_moved(tmp_path):
    names = ["run.json", "hits.jsonl", "samples.jsonl", "target.log", "worker-1.log", "odd name & more%.txt"]
    for name in (*names, "report.html", ".hidden"):
        (tmp_path / name).write_text("x" * 2_100)
    links = links_of(fastapi_sync(), tmp_path)
    assert {unquote(link) for link in links} == set(names)
    moved = tmp_path.rename(tmp_path.with_name("elsewhere"))
    assert all((moved / unquote(link)).is_file() for link in links)
    assert not any(link.startswith("/") or ":" in link for link in links)


def test_a_files_row_says_its_size_and_what_it_is(tmp_path):
    (tmp_path / "hits.jsonl").write_text("x" * 2_100)
    (tmp_path / "verdict.json").write_text("{}")
    hits, verdict = files_beside(tmp_path)
    assert (hits.name, hits.size) == ("hits.jsonl", "2.1 kB")
    assert hits.words.startswith("each request")
    assert (verdict.name, verdict.size) == ("verdict.json", "")


def test_a_searchs_bursts_are_linked_where_they_have_a_report(tmp_path):
    judged = search()
    first = judged.document.steps[0].folder
    (tmp_path / first).mkdir(parents=True)
    (tmp_path / first / "report.html").write_text("")
    assert links_of(judged, tmp_path).count(f"{first}/report.html") == 2


def test_a_page_that_was_made_without_a_folder_has_no_links_to_files():
    judged = fastapi_sync()
    assert 'id="files"' not in render_html(judged, manifest_for(judged))
