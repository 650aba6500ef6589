// The page: the run under way or a finished one, its verdict, chart and tables, and the list of runs.

import { Chart } from "./chart.js";
import { NotThere, Poll, SignedOut, applyTheme, el, pathOf, say, tone } from "./dom.js";

const byId = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search).get("run");
const chart = new Chart();
const runs = new Poll("runs.json", { got: showRuns, failed: () => {}, when: () => 4000 });
const LINKS = [["report.html", "Report"], ["verdict.json", "verdict.json"], ["waterline.svg", "Picture"], ["run.json", "run.json"]];

let page = null;
let shownRuns = "";

function show(next) {
  const isOther = page === null || page.run !== next.run;
  const isNews = isOther || !page.verdict !== !next.verdict;
  page = next;
  document.title = `${next.target || "Floodmark"}: ${next.phase.words}`.slice(0, 120);
  say(byId("kind"), asked ? `${next.kind}, a finished run` : next.kind || "this master");
  say(byId("title"), next.target || "Floodmark");
  say(byId("plan"), next.plan || (next.phase.name === "ready" ? "Press Start in Locust's form; this page follows by itself." : ""));
  say(byId("phase-words"), next.phase.words);
  byId("phase").dataset.tone = tone(next.phase);
  showVerdict(next);
  showFigures(next.figures);
  if (isOther) chart.prepare(next.library);
  if (next.curves && next.curves.places.times_s.length) chart.show(next.curves, next.library, next.kind);
  else if (isOther || !next.curves) chart.clear();
  say(byId("chart-note"), noteOf(next));
  showTables(next.tables);
  if (isNews) runs.soon();
}

function noteOf({ curves, kind, phase }) {
  if (!curves) return phase.name === "ready" ? "It is drawn here when a load is released" : "";
  const estimate = curves.certain_until_s === null ? "" : `; after ${curves.certain_until_s.toFixed(1)} s in service is an estimate`;
  const ends = kind === "closed" || kind === "arrivals" || kind === "locust" ? "" : estimate;
  return `${curves.end_s.toFixed(1)} s${ends}`;
}

function showVerdict({ verdict, run, files }) {
  const section = byId("verdict");
  section.hidden = !verdict;
  if (!verdict) return;
  section.dataset.valid = verdict.valid ? "yes" : "no";
  say(byId("verdict-title"), verdict.valid ? "Verdict" : "Verdict: not valid");
  say(byId("sentence"), verdict.sentence);
  const list = (lines, kind) => (lines.length ? el("ul", { class: kind }, ...lines.map((words) => el("li", {}, words))) : null);
  const missed = verdict.thresholds.filter((words) => words.startsWith("missed"));
  const lists = [list(verdict.reasons, "bad"), list(verdict.thresholds, missed.length ? "bad" : ""), list(verdict.advice, "")];
  const lines = byId("verdict-lines");
  const words = JSON.stringify([verdict, files]);
  if (lines.dataset.words !== words) {
    lines.dataset.words = words;
    lines.replaceChildren(...lists.filter((one) => one !== null));
    byId("verdict-links").replaceChildren(...linksOf(run.split("/")[0], files, true));
  }
}

function linksOf(run, files, isLead = false) {
  const there = LINKS.filter(([file]) => files.includes(file));
  return there.map(([file, words], index) => el("a", { href: pathOf(run, file), class: isLead && !index ? "primary" : null }, words));
}

function showFigures(figures) {
  const list = byId("figures");
  while (list.children.length > figures.length) list.lastChild.remove();
  figures.forEach(({ value, words }, index) => {
    const box = list.children[index] || list.appendChild(el("div", {}, el("dt"), el("dd")));
    say(box.firstChild, words);
    say(box.lastChild, value);
  });
}

// Cells are changed, not rows made again: who reads a table keeps their place in it.
function showTables(tables) {
  const room = byId("tables");
  for (const node of [...room.children]) if (!tables.some((table) => `table-${table.key}` === node.id)) node.remove();
  tables.forEach((table, index) => {
    let card = byId(`table-${table.key}`);
    if (!card) {
      card = el("section", { class: "card", id: `table-${table.key}`, "aria-labelledby": `head-${table.key}` }, el("div", { class: "card-head" }, el("h2", { id: `head-${table.key}` })), el("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": `head-${table.key}` }, tableOf(table)));
    }
    if (room.children[index] !== card) room.insertBefore(card, room.children[index] || null);
    say(card.querySelector("h2"), table.title);
    say(card.querySelector("caption"), table.caption);
    fill(card.querySelector("tbody"), table);
  });
}

function tableOf({ columns, numbers }) {
  const head = columns.map((name, index) => el("th", { scope: "col", class: numbers.includes(index) ? "number" : null }, name));
  return el("table", {}, el("caption"), el("thead", {}, el("tr", {}, ...head)), el("tbody"));
}

function fill(body, { key, rows, columns, numbers }) {
  const wanted = rows.length ? rows : [[emptyWords(key), ...columns.slice(1).map(() => "")]];
  while (body.rows.length > wanted.length) body.lastChild.remove();
  wanted.forEach((row, index) => {
    const line = body.rows[index] || body.appendChild(el("tr", {}, ...columns.map((_, at) => el(at ? "td" : "th", { scope: at ? null : "row", class: numbers.includes(at) ? "number" : null }))));
    row.forEach((words, at) => {
      say(line.cells[at], words);
      line.cells[at].classList.toggle("state-bad", words === "lost" || words === "full");
    });
  });
}

const emptyWords = (key) => (key === "agents" ? "none has joined: start floodmark-agent on the target's host" : "nothing seen yet");

function showRuns({ runs: found }) {
  const words = JSON.stringify([found, page?.run]);
  if (words === shownRuns) return;
  shownRuns = words;
  const head = ["run", "load", "target", "state", "verdict", "files"].map((name) => el("th", { scope: "col" }, name));
  const rows = found.map((run) => {
    const name = el("a", { href: `?run=${encodeURIComponent(run.name)}` }, run.name);
    const links = linksOf(run.name, run.files).flatMap((link) => [link, " "]);
    const sentence = run.verdict ? run.verdict.sentence.split(". ")[0] : "\u2013";
    const state = run.verdict && !run.verdict.valid ? "not valid" : run.status;
    return el("tr", { "aria-current": run.name === (asked || page?.run.split("/")[0]) ? "true" : null }, el("th", { scope: "row" }, name), el("td", {}, run.plan), el("td", {}, run.target), el("td", { class: state === "not valid" || state === "failed" ? "state-bad" : null }, state), el("td", {}, sentence), el("td", { class: "links" }, ...links));
  });
  const caption = el("caption", { class: "sr" }, "Runs of this master, the newest first");
  const empty = el("tr", {}, el("td", { colspan: 6 }, "No run yet"));
  byId("runs-table").replaceChildren(el("table", {}, caption, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...(rows.length ? rows : [empty]))));
}

function failed(error) {
  const note = byId("note");
  note.hidden = error === null;
  if (error instanceof SignedOut) note.replaceChildren("You are signed out. ", el("a", { href: "../login" }, "Sign in"));
  else if (error !== null) say(note, error instanceof NotThere ? "There is no run of this name with this master." : "The master does not answer; this page tries again.");
}

byId("live-link").hidden = !asked;
applyTheme();
setInterval(() => {
  if (applyTheme()) chart.soon();
}, 500);
const source = asked ? `runs/${asked.split("/").map(encodeURIComponent).join("/")}/view.json` : "live.json";
new Poll(source, { got: show, failed, when: () => (asked ? 10000 : page?.phase.is_busy ? 500 : 2000) }).start();
runs.start();
