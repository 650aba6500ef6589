// From curves to what the chart library draws, and to words and rows for those who do not look at it. It draws nothing.

export const PLACES = [
  ["with_server", "with the server", "#1c2430"],
  ["in_service", "in service", "#ffffff"],
  ["in_process", "in process", "#1c2430"],
  ["unread", "unread", "#1c2430"],
  ["accept_queue", "accept queue", "#ffffff"],
  ["half_open", "half open", "#ffffff"],
  ["connecting", "connecting", "#1c2430"],
];

const HEIGHTS = { waterline: 330, rates: 92, latency: 92, threads: 74, files: 62, overflows: 54 };
const GAP = 34;
const FOOT = 40;
const count = (value) => (value === null || value === undefined ? "\u2013" : Math.round(value).toLocaleString("en"));

export const valuesOf = (curves, place) => (place === "with_server" ? curves.places.with_server : curves.places.places[place]) || [];

export const isKnown = (values) => values.some((value) => value !== null && value !== undefined);

export const occurs = (values) => values.some((value) => value > 0);

// The last value holds until the end.
function held(times, values, end) {
  if (!times.length) return [[], []];
  return [[...times, Math.max(end, times.at(-1))], [...values, values.at(-1)]];
}

function seconds(value) {
  if (value === null || value === undefined) return "\u2013";
  return value >= 1 ? `${+value.toPrecision(3)} s` : `${+(value * 1000).toPrecision(3)} ms`;
}

export function figure(curves, look, width, kind) {
  const narrow = width < 560;
  const panels = ["waterline", "rates", "latency", "threads", "files", "overflows"];
  const total = panels.reduce((sum, name) => sum + HEIGHTS[name] + GAP, 0) + FOOT;
  const layout = base(curves, look, narrow, total);
  if (kind === "locust") layout.xaxis.title.text = "seconds since the test began";
  const plotPx = total - GAP - FOOT;
  let top = plotPx;
  panels.forEach((name, index) => {
    const axis = index ? `yaxis${index + 1}` : "yaxis";
    layout[axis] = { ...axisLook(look), domain: [(top - HEIGHTS[name]) / plotPx, top / plotPx], rangemode: "tozero" };
    top -= HEIGHTS[name] + GAP;
  });
  layout.xaxis.anchor = `y${panels.length}`;
  const parts = [waterline, rates, latency, threads, files, overflows].map((part) => part(curves, look, width, layout, kind));
  const { titles, ...rest } = layout;
  const heads = panels.map((name, index) => title(name, titles[`y${index + 1}`] ?? "", layout[index ? `yaxis${index + 1}` : "yaxis"].domain[1], look));
  layout.annotations.push(...heads);
  return { data: parts.flat(), layout: rest };
}

function base(curves, look, narrow, height) {
  return {
    height,
    margin: { l: 54, r: narrow ? 14 : 92, t: GAP, b: FOOT, pad: 4 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: look.font, size: 12, color: look.muted },
    showlegend: false,
    hovermode: "x unified",
    hoversubplots: "axis",
    hoverlabel: { bgcolor: look.card, bordercolor: look.line, font: { family: look.font, size: 12, color: look.ink } },
    dragmode: narrow ? false : "zoom",
    uirevision: "keep",
    annotations: [],
    titles: {},
    shapes: gaps(curves, look),
    xaxis: {
      ...axisLook(look),
      fixedrange: narrow,
      range: [Math.min(0, curves.places.times_s[0] ?? 0), Math.max(curves.end_s, 0.5)],
      title: { text: "seconds since release", font: { size: 12, color: look.muted }, standoff: 8 },
      unifiedhovertitle: { text: "%{x:.2f} s" },
      hoverformat: ".2f",
    },
  };
}

const axisLook = (look) => ({
  gridcolor: look.line,
  gridwidth: 1,
  zeroline: false,
  showline: false,
  fixedrange: true,
  nticks: 5,
  separatethousands: true,
  tickfont: { size: 11.5, color: look.muted },
});

const TITLES = {
  waterline: "Requests in flight, by place",
  rates: "Requests per second",
  latency: "Latency of answers",
  threads: "Threads and processes",
  files: "Open files",
  overflows: "Listen overflows, total",
};

const title = (name, more, y, look) => ({
  text: name === "threads" && more ? more.slice(2) : `<b>${TITLES[name]}</b>${more}`,
  xref: "paper",
  yref: "paper",
  x: 0,
  y,
  xanchor: "left",
  yanchor: "bottom",
  yshift: 4,
  showarrow: false,
  font: { size: 12, color: look.ink },
});

const line = (x, y, name, colour, more = {}) => ({
  type: "scatter",
  mode: "lines",
  x,
  y,
  name,
  hovertemplate: "%{y:,}",
  line: { color: colour, width: 1.7, shape: "hv", dash: more.dash || "solid" },
  yaxis: more.axis,
  connectgaps: false,
  ...more.trace,
});

function waterline(curves, look, width, layout, kind) {
  const times = curves.places.times_s;
  const traces = [];
  const upper = times.map(() => 0);
  const peak = Math.max(1, ...times.map((_, index) => PLACES.reduce((sum, [place]) => sum + (valuesOf(curves, place)[index] || 0), 0)));
  const totals = HELD.has(kind) ? totalsOf(curves, peak) : [];
  const highest = Math.max(peak, ...totals.flatMap(([, values]) => values.filter((value) => value !== null)), curves.ceiling || 0);
  for (const [place, words, ink] of PLACES) {
    const values = valuesOf(curves, place);
    if (!occurs(values)) continue;
    const [x, y] = held(times, values.map((value) => value || 0), curves.end_s);
    traces.push({
      ...line(x, y, words, look[place]),
      stackgroup: "places",
      fillcolor: look[place],
      line: { width: 0.6, color: look.card, shape: "hv" },
    });
    const spot = labelSpot(times, values, upper, { width, highest, end: curves.end_s, words });
    if (spot) layout.annotations.push({ ...spot, text: words, showarrow: false, font: { size: 12, color: ink } });
    values.forEach((value, index) => (upper[index] += value || 0));
  }
  for (const [words, values, colour] of totals) {
    const [x, y] = held(times, values, curves.end_s);
    traces.push(line(x, y, words, look[colour], { dash: "dot" }));
    if (layout.margin.r > 50) layout.annotations.push(endLabel(x, y, words.replace(" in all", ""), look[colour], "y"));
  }
  if (curves.ceiling) {
    layout.shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: curves.ceiling, y1: curves.ceiling, line: { color: look.ink, width: 1 } });
    if (layout.margin.r > 50) layout.annotations.push({ ...endLabel([0], [curves.ceiling], `ceiling ${count(curves.ceiling)}`, look.ink, "y"), xref: "paper", x: 1 });
  }
  layout.yaxis.range = [0, highest * 1.04];
  spread(layout.annotations.filter((one) => one.isEnd), highest, HEIGHTS.waterline);
  return traces;
}

const HELD = new Set(["burst", "ramp", "search"]);

// Running totals fit on the scale of a burst only: beside all that a long load answers nothing else would be seen.
function totalsOf(curves, peak) {
  const found = [["answered in all", curves.places.answered, "ink"], ["failed in all", curves.places.failed, "bad"]];
  return found.filter(([, values]) => occurs(values) && Math.max(...values.filter((value) => value !== null)) <= 1.2 * peak);
}

// Where a band is high and wide enough for its name, in the middle of its fullest stretch.
function labelSpot(times, values, lower, { width, highest, end, words }) {
  const most = Math.max(...values.map((value) => value || 0));
  const span = Math.max(end - Math.min(0, times[0]), 0.1);
  const needs = (words.length * 6.6 + 14) / Math.max(width - 146, 100) * span;
  const room = (18 / HEIGHTS.waterline) * highest;
  if (most < room) return null;
  const enough = Math.max(most * 0.45, room);
  let best = null;
  for (let index = 0; index < times.length; index += 1) {
    if ((values[index] || 0) < enough) continue;
    let last = index;
    let floor = lower[index];
    let ceiling = lower[index] + values[index];
    while (last + 1 < times.length && Math.min(ceiling, lower[last + 1] + (values[last + 1] || 0)) - Math.max(floor, lower[last + 1]) >= room) {
      last += 1;
      floor = Math.max(floor, lower[last]);
      ceiling = Math.min(ceiling, lower[last] + values[last]);
    }
    const until = last + 1 < times.length ? times[last + 1] : end;
    const wide = until - times[index];
    if (wide >= needs && (!best || wide > best.wide)) best = { wide, x: (times[index] + until) / 2, y: (floor + ceiling) / 2 };
    index = last;
  }
  return best && { x: best.x, y: best.y, xref: "x", yref: "y" };
}

function endLabel(x, y, text, colour, axis) {
  let last = y.length - 1;
  while (last > 0 && y[last] === null) last -= 1;
  return {
    isEnd: true,
    text,
    xref: "paper",
    x: 1,
    yref: axis,
    y: y[last] ?? 0,
    xanchor: "left",
    xshift: 6,
    showarrow: false,
    font: { size: 11.5, color: colour },
  };
}

// Labels at the right edge are kept apart.
function spread(labels, highest, height) {
  const apart = (14 / height) * highest;
  labels.sort((one, other) => one.y - other.y);
  for (let index = 1; index < labels.length; index += 1) labels[index].y = Math.max(labels[index].y, labels[index - 1].y + apart);
  // Above the panel none would be drawn: then they give way downwards.
  let most = highest;
  for (let index = labels.length - 1; index >= 0 && labels[index].y > most; index -= 1) {
    labels[index].y = most;
    most -= apart;
  }
}

function gaps(curves, look) {
  const times = curves.places.times_s;
  const found = [];
  times.forEach((time, index) => {
    if (PLACES.some(([place]) => valuesOf(curves, place)[index] !== null && valuesOf(curves, place)[index] !== undefined)) return;
    const until = index + 1 < times.length ? times[index + 1] : curves.end_s;
    if (found.length && found.at(-1).x1 === time) found.at(-1).x1 = until;
    else found.push({ type: "rect", xref: "x", yref: "y domain", x0: time, x1: until, y0: 0, y1: 1, fillcolor: look.line, line: { width: 0 }, layer: "below" });
  });
  for (const gap of found) if ((gap.x1 - gap.x0) * 5 > curves.end_s) gap.label = { text: "nothing heard", font: { size: 12, color: look.muted } };
  return found;
}

function rates(curves, look, width, layout) {
  const [x, y] = held(curves.rates.times_s, curves.rates.answered_per_s, curves.end_s);
  const traces = [{ ...line(x, y, "answered per second", look.ink, { axis: "y2" }), short: "answered" }];
  if (occurs(curves.rates.failed_per_s)) {
    const [x1, y1] = held(curves.rates.times_s, curves.rates.failed_per_s, curves.end_s);
    traces.push({ ...line(x1, y1, "failed per second", look.bad, { axis: "y2" }), short: "failed" });
  }
  return named(layout, "y2", HEIGHTS.rates, traces);
}

// Lines of one panel with their names at the right edge.
function named(layout, axis, height, lines) {
  const labels = lines.map(({ x, y, name, line: { color }, short }) => endLabel(x, y, short || name, color, axis));
  const highest = Math.max(0.001, ...lines.flatMap(({ y }) => y.filter((value) => value !== null))) * 1.12;
  layout[axis.replace("y", "yaxis")].range = [0, highest];
  if (layout.margin.r > 50) {
    spread(labels, highest, height);
    layout.annotations.push(...labels);
  } else if (lines.length > 1) {
    // Without room beside the lines their names stand in the panel's title.
    const names = lines.map(({ name, line: { color }, short }) => `<span style="color:${color}">${short || name}</span>`);
    layout.titles[axis] = `: ${names.join(", ")}`;
  }
  return lines.map(({ short, ...trace }) => trace);
}

function latency(curves, look, width, layout, kind) {
  layout.yaxis3.ticksuffix = " s";
  const middle = curves.rates.times_s.map((time) => time + curves.rates.width_s / 2);
  const kinds = [
    ["half of them", "p50_s", look.ink, "solid", "half"],
    ["99 % of them", "p99_s", look.accent, "solid", "99 %"],
    ["the longest", "max_s", look.muted, "dot", "longest"],
  ];
  const lines = kinds.map(([words, key, colour, dash, short]) => {
    const values = curves.rates[key];
    return {
      short,
      ...line(middle, values, words, colour, { axis: "y3", dash }),
      mode: "lines+markers",
      marker: { size: 4, color: colour },
      line: { color: colour, width: 1.5, dash },
      customdata: values.map(seconds),
      hovertemplate: "%{customdata}",
      // Locust's workers report every three seconds, and these times with it.
      connectgaps: kind === "locust",
    };
  });
  return named(layout, "y3", HEIGHTS.latency, lines);
}

const tree = (curves, key, words, colour, axis) => {
  const [x, y] = held(curves.places.times_s, curves.places[key], curves.end_s);
  return line(x, y, words, colour, { axis });
};

function threads(curves, look, width, layout) {
  const lines = [tree(curves, "processes", "processes", look.accent, "y4"), tree(curves, "threads", "threads", look.ink, "y4")];
  return named(layout, "y4", HEIGHTS.threads, lines);
}

const files = (curves, look) => [tree(curves, "open_files", "open files", look.ink, "y5")];

const overflows = (curves, look) => [tree(curves, "overflows", "listen overflows", look.bad, "y6")];

// The chart in words.
export function describe(curves) {
  const times = curves.places.times_s;
  if (!times.length) return "No load has been released yet.";
  const last = times.length - 1;
  const now = PLACES.map(([place, words]) => [words, valuesOf(curves, place)[last]]).filter(([, value]) => value > 0);
  const most = PLACES.map(([place, words]) => [words, Math.max(0, ...valuesOf(curves, place).map((value) => value || 0))]).filter(([, value]) => value > 0);
  const isSeen = PLACES.some(([place]) => isKnown([valuesOf(curves, place)[last]]));
  const newest = (values) => count(values.findLast((value) => value !== null) ?? 0);
  const list = (pairs) => pairs.map(([words, value]) => `${count(value)} ${words}`).join(", ");
  const ceiling = curves.ceiling ? ` The ceiling is ${count(curves.ceiling)} at once.` : "";
  return (
    `Stacked areas over ${curves.end_s.toFixed(1)} seconds since the release.` +
    ` At the end: ${now.length ? list(now) : isSeen ? "no request in flight" : "not known, nothing is heard of the target"}.` +
    ` At most: ${most.length ? list(most) : "none"}.` +
    ` Answered ${newest(curves.places.answered)}, failed ${newest(curves.places.failed)}.${ceiling}`
  );
}

// Some rows of it, evenly apart.
export function rowsOf(curves, most = 20) {
  const times = curves.places.times_s;
  const every = Math.max(1, Math.ceil(times.length / most));
  const picked = times.map((_, index) => index).filter((index) => index % every === 0 || index === times.length - 1);
  const shown = PLACES.filter(([place]) => place !== "with_server" || occurs(valuesOf(curves, place)));
  const columns = ["seconds", ...shown.map(([, words]) => words), "answered", "failed", "threads"];
  const rows = picked.map((index) => [
    times[index].toFixed(2),
    ...shown.map(([place]) => count(valuesOf(curves, place)[index])),
    ...["answered", "failed", "threads"].map((key) => count(curves.places[key][index])),
  ]);
  return { columns, rows };
}

export { count };
