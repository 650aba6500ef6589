// Small help for both pages: elements, the theme, and asking the master. Text goes in as text, never as HTML.

export function el(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "style") Object.assign(node.style, value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Puts text into a node only when it is another: a screen reader says what has changed, and nothing else.
export function say(node, words) {
  if (node.textContent !== words) node.textContent = words;
}

// Locust keeps its own choice in localStorage; without one it goes by the system's.
export function theme() {
  let chosen = null;
  try {
    chosen = localStorage.theme;
  } catch {
    // Storage may be shut off: then the system's it is.
  }
  if (chosen === "dark" || chosen === "light") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

// True where it has changed.
export function applyTheme() {
  const now = theme();
  if (document.documentElement.dataset.fmTheme === now) return false;
  document.documentElement.dataset.fmTheme = now;
  return true;
}

export class SignedOut extends Error {}
export class NotThere extends Error {}

// A master that says nothing for so long is asked again, and the page says so.
const PATIENCE_MS = 10000;

// Asks again and again for JSON that has changed since: `when` says after how many milliseconds, `got` takes it.
export class Poll {
  constructor(url, { got, failed, when }) {
    Object.assign(this, { url, got, failed, when, tag: null, timer: 0, ended: false });
  }

  start() {
    this.tick();
    // A browser lets a page that nobody sees wait for up to a minute: who comes back sees what is now.
    document.addEventListener("visibilitychange", () => document.hidden || this.soon());
    return this;
  }

  // Asks now, unless it is asking.
  soon() {
    if (!this.timer) return;
    clearTimeout(this.timer);
    this.tick();
  }

  stop() {
    this.ended = true;
    clearTimeout(this.timer);
  }

  async tick() {
    this.timer = 0;
    try {
      const found = await this.ask();
      if (this.ended) return;
      if (found !== null) this.got(found);
      this.failed(null);
    } catch (error) {
      if (this.ended) return;
      this.failed(error);
    }
    const wait = document.hidden ? 5000 : this.when();
    if (wait !== null) this.timer = setTimeout(() => this.tick(), wait);
  }

  async ask() {
    const headers = this.tag ? { "If-None-Match": this.tag } : {};
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const answer = await fetch(this.url, { headers, signal, cache: "no-store", credentials: "same-origin" });
    if (answer.status === 304) return null;
    if (answer.status === 404) throw new NotThere("the master has none of this name");
    if (answer.redirected || !(answer.headers.get("content-type") || "").includes("json")) {
      throw answer.ok ? new SignedOut("signed out") : new Error(`the master answered ${answer.status}`);
    }
    if (!answer.ok) throw new Error(`the master answered ${answer.status}`);
    this.tag = answer.headers.get("etag");
    return answer.json();
  }
}

export const tone = (phase) => (phase.is_bad ? "bad" : phase.is_busy ? "busy" : phase.name === "ended" ? "good" : "idle");

export const pathOf = (name, file) => `runs/${name.split("/").map(encodeURIComponent).join("/")}/files/${encodeURIComponent(file)}`;
