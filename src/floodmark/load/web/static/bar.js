// The bar above Locust's own UI: where the run is, where its page and report are, why some fields are grey.

import { Poll, SignedOut, applyTheme, el, pathOf, say, tone } from "./dom.js";

const HOME = new URL("../", import.meta.url).href;
const SIZES = {
  burst: "its size is Requests",
  ramp: "its size is Requests, its pace Within",
  closed: "its size is Connections, its length Duration",
  arrivals: "its pace is Rate, its length Duration",
  search: "its largest burst is Requests",
};

const words = el("p", { class: "floodmark-words", role: "status", "aria-live": "polite", id: "floodmark-words" });
const report = el("a", { hidden: true }, "Report");
const hint = el("p", { class: "floodmark-hint", hidden: true, id: "floodmark-hint" });
const bar = el(
  "section",
  { class: "floodmark-bar", "aria-label": "Floodmark" },
  el("strong", {}, "Floodmark"),
  words,
  el("a", { href: HOME, id: "floodmark-page" }, "Live waterline"),
  report,
  hint,
);

const opened = new WeakSet();
let kind = "";

// The form is Locust's and comes and goes with it: its fields are looked at, not changed.
function mindTheForm() {
  applyTheme();
  const users = document.querySelector('input[name="userCount"]');
  hint.hidden = !(users && users.disabled && SIZES[kind]);
  if (!hint.hidden) say(hint, `Number of users and ramp up are grey: a ${kind} load has no users; ${SIZES[kind]}, under Custom parameters.`);
  for (const head of document.querySelectorAll('[aria-expanded="false"]')) {
    if (head.textContent.startsWith("Custom parameters") && !opened.has(head) && SIZES[kind]) {
      opened.add(head);
      head.click();
    }
  }
}

function show(page) {
  kind = page.kind;
  say(words, page.verdict ? `${page.phase.words}. ${page.verdict.sentence}` : page.phase.words);
  words.dataset.tone = tone(page.phase);
  report.hidden = !page.files.includes("report.html");
  if (!report.hidden) report.href = HOME + pathOf(page.run.split("/")[0], "report.html");
  mindTheForm();
}

function failed(error) {
  if (error instanceof SignedOut) say(words, "Signed out");
  else if (error) say(words, "The master does not answer");
}

document.body.prepend(bar);
mindTheForm();
setInterval(mindTheForm, 500);
new Poll(`${HOME}state.json`, { got: show, failed, when: () => 1500 }).start();
