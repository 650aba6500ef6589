// The chart on the page: loads the library from the master, draws when there is time, says what is missing.

import { PLACES, describe, figure, rowsOf, valuesOf, count, isKnown, occurs } from "./draw.js";
import { el, say } from "./dom.js";

const CONFIG = { displayModeBar: false, displaylogo: false, responsive: true, scrollZoom: false, doubleClick: "reset" };
const LEAST_MS = 400;
// The library may take this part of the time at most: where drawing is slow, it is done less often.
const SHARE = 0.25;
const MOST_MS = 2500;

const byId = (id) => document.getElementById(id);

let library = null;

function load(version) {
  library ??= new Promise((resolve, reject) => {
    const script = el("script", { src: `plotly.min.js?v=${encodeURIComponent(version)}` });
    script.onload = () => resolve(globalThis.Plotly);
    script.onerror = () => {
      // The next drawing tries again.
      library = null;
      script.remove();
      reject(new Error("the chart library could not be loaded"));
    };
    document.head.append(script);
  });
  return library;
}

function look() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const tokens = { ink: "--fm-ink", muted: "--fm-muted", line: "--fm-line", card: "--fm-card", accent: "--fm-accent", bad: "--fm-bad", font: "--fm-font" };
  const found = Object.fromEntries(Object.entries(tokens).map(([key, name]) => [key, colour(name)]));
  for (const [place] of PLACES) found[place] = colour(`--place-${place.replaceAll("_", "-")}`);
  return found;
}

export class Chart {
  constructor() {
    this.node = byId("chart");
    this.curves = null;
    this.timer = 0;
    this.freeAt = 0;
    this.drawn = 0;
    byId("chart-table").parentElement.addEventListener("toggle", () => this.table());
    new ResizeObserver(() => this.soon()).observe(this.node.parentElement);
  }

  // Takes the newest curves; they are drawn when the page has time for it.
  show(curves, version, kind) {
    this.curves = curves;
    this.kind = kind;
    this.version = version;
    this.words();
    this.soon();
  }

  // The library takes its time to be read: better before a load than in it.
  prepare(version) {
    if (version) load(version).catch(() => {});
  }

  clear() {
    this.curves = null;
    clearTimeout(this.timer);
    this.timer = 0;
    if (globalThis.Plotly) globalThis.Plotly.purge(this.node);
    this.node.replaceChildren();
    byId("legend").replaceChildren();
    byId("chart-table").replaceChildren();
    say(byId("chart-text"), "No load has been released yet.");
  }

  soon() {
    if (this.timer || !this.curves) return;
    this.timer = setTimeout(() => this.draw(), Math.max(0, this.freeAt - performance.now()));
  }

  async draw() {
    const { curves } = this;
    try {
      const missing = byId("chart-missing");
      missing.hidden = Boolean(this.version);
      if (!this.version) {
        say(missing, "The chart needs plotly on the master: pip install 'floodmark[web]'. The tables do without.");
        return;
      }
      const plotly = await load(this.version);
      const began = performance.now();
      const { data, layout } = figure(curves, look(), this.node.clientWidth, this.kind);
      await plotly.react(this.node, data, layout, CONFIG);
      this.drawn += 1;
      this.node.dataset.drawn = this.drawn;
      this.node.dataset.points = curves.places.times_s.length;
      const took = performance.now() - began;
      this.freeAt = performance.now() + Math.min(Math.max(LEAST_MS, took / SHARE), MOST_MS);
    } catch (error) {
      byId("chart-missing").hidden = false;
      say(byId("chart-missing"), `The chart could not be drawn: ${error.message}`);
    } finally {
      this.timer = 0;
      if (this.curves !== curves) this.soon();
    }
  }

  words() {
    const { curves } = this;
    say(byId("chart-text"), describe(curves));
    const last = curves.places.times_s.length - 1;
    const isShown = (place) => (this.kind === "locust" ? isKnown(valuesOf(curves, place)) : place !== "with_server" || occurs(valuesOf(curves, place)));
    const items = PLACES.filter(([place]) => isShown(place)).map(([place, words]) => {
      const swatch = el("span", { class: "swatch", "aria-hidden": "true", style: { background: `var(--place-${place.replaceAll("_", "-")})` } });
      return el("li", {}, swatch, words, el("b", {}, count(valuesOf(curves, place)[last])));
    });
    byId("legend").replaceChildren(...items);
    this.table();
  }

  // Only where somebody has opened it: it is made anew each time, as its moments are others.
  table() {
    if (!this.curves || !byId("chart-table").parentElement.open) return;
    const { columns, rows } = rowsOf(this.curves);
    const head = el("tr", {}, ...columns.map((name) => el("th", { scope: "col", class: "number" }, name)));
    const body = rows.map((row) => el("tr", {}, ...row.map((cell, index) => el(index ? "td" : "th", index ? { class: "number" } : { class: "number", scope: "row" }, cell))));
    const caption = el("caption", {}, "Requests in each place at some moments of the load");
    byId("chart-table").replaceChildren(el("table", {}, caption, el("thead", {}, head), el("tbody", {}, ...body)));
  }
}
