// Sorts and filters tables, and draws each figure when it comes near the window. Runs inside one function: the
// libraries before it keep short names for themselves.
(() => {
"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// --- tables ---------------------------------------------------------------------------------------------------------

const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

// Numbers come before texts, and what is missing last in either direction.
function compare(a, b, sign) {
  if (a.missing || b.missing) return a.missing - b.missing;
  if (a.number !== null && b.number !== null) return sign * (a.number - b.number || 0);
  if (a.number !== null || b.number !== null) return a.number !== null ? -1 : 1;
  return sign * a.text.localeCompare(b.text, "en", { numeric: true });
}

function keyOf(cell) {
  const given = cell.dataset.value;
  const number = given === undefined ? null : given === "inf" ? Infinity : given === "-inf" ? -Infinity : Number(given);
  const text = cell.textContent.trim();
  return { number, text, missing: number === null && (text === "-" || text === "") };
}

function sortBy(header) {
  const table = header.closest("table"), body = table.tBodies[0];
  table.original ??= [...body.rows];
  const direction = NEXT[header.getAttribute("aria-sort")];
  all("thead th", table).forEach((other) => other.setAttribute("aria-sort", "none"));
  header.setAttribute("aria-sort", direction);
  const sign = direction === "descending" ? -1 : 1;
  const keyed = table.original.map((row) => ({ row, key: keyOf(row.cells[header.cellIndex]) }));
  if (direction !== "none") keyed.sort((a, b) => compare(a.key, b.key, sign));
  body.append(...keyed.map(({ row }) => row));
}

all("thead button").forEach((button) => button.addEventListener("click", () => sortBy(button.closest("th"))));

// --- filter ---------------------------------------------------------------------------------------------------------

const box = document.getElementById("filter"), found = document.getElementById("found");
const wanted = () => box.value.toLowerCase().split(",").map((word) => word.trim()).filter(Boolean);

function filterRows(words) {
  const rows = all("tr[data-name]").filter((row) => row.dataset.name);
  let shown = 0;
  for (const row of rows) {
    const name = row.dataset.name.toLowerCase();
    row.hidden = words.length > 0 && !words.some((word) => name.includes(word));
    shown += !row.hidden;
  }
  found.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
}

// Figures highlight the words that optimizers' names have in them: a pattern that fits any of these, or everything.
const optimizers = [...new Set(all("tbody th").map((cell) => cell.textContent.toLowerCase()))];
const highlighted = () => wanted().filter((word) => optimizers.some((name) => name.includes(word)))
  .map((word) => word.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|");

function filterFigure(figure) {
  if (!figure.view) return;
  try {
    figure.view.signal("named", highlighted()).runAsync();
  } catch {
    // A figure without names has no such signal.
  }
}

let waiting;
box.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    filterRows(wanted());
    all("figure").forEach(filterFigure);
  }, 120);
});
box.form.addEventListener("submit", (event) => event.preventDefault());

// --- figures --------------------------------------------------------------------------------------------------------

const OPTIONS = { mode: "vega-lite", renderer: "svg", ast: true, actions: false };

const parsed = (element) => JSON.parse(element.textContent);
let data;

// A list in a row is written as the place of that list, which several rows share.
const filled = (value) => (Array.isArray(value) ? data.lists[value[0]] : value);
const mapped = (object, call) => Object.fromEntries(Object.entries(object).map(([name, value]) => [name, call(value)]));

// The first variant that fits what is chosen, with its data, which all figures share.
function specOf(figure) {
  figure.variants ??= parsed(figure.querySelector("script"));
  const chosen = all("select[data-choice]", figure).map((select) => [select.dataset.choice, select.value]);
  const fits = ({ choice }) => chosen.every(([name, value]) => choice[name] === value);
  const spec = structuredClone((figure.variants.find(fits) ?? figure.variants[0]).spec);
  data ??= parsed(document.getElementById("data"));
  spec.datasets = mapped(spec.datasets, (place) => data.datasets[place].map((row) => mapped(row, filled)));
  return fit(spec, figure.querySelector(".chart").clientWidth);
}

// Room that a panel's axis takes beside it, the least width it can be read at, and the most it needs beside others.
const BESIDE = 64, LEAST = 170, MOST = 400;

// Figures are laid out anew for the room there is: rows of about equally many panels, below each other on a phone.
function fit(spec, room) {
  const panels = (spec.concat ?? [spec]).filter((panel) => typeof panel.width === "number");
  if (!panels.length || !room) return spec;
  const before = spec.concat ? Math.min(spec.columns ?? panels.length, panels.length) : 1;
  const widest = Math.max(...panels.map((panel) => panel.width));
  const possible = Math.max(1, Math.min(before, Math.floor(room / (LEAST + BESIDE))));
  const columns = Math.ceil(panels.length / Math.ceil(panels.length / possible));
  const width = Math.max(LEAST, Math.min(Math.floor(room / columns) - BESIDE, Math.max(widest, MOST)));
  if (spec.concat) spec.columns = columns;
  for (const panel of panels) {
    // Rows of names keep their height; lines grow with their width, and are no higher than three quarters of it.
    const grows = (panel.name ?? "").startsWith("panel_") && typeof panel.height === "number";
    const grown = panel.height * Math.max(1, width / panel.width);
    if (grows) panel.height = Math.round(Math.max(150, Math.min(grown, 0.75 * width, 400)));
    panel.width = width;
  }
  const needed = columns * (width + BESIDE);
  narrowLegends(spec, needed / (before * (widest + BESIDE)));
  return spec;
}

// Long names beside a panel take more room than was thought: what the figure is too wide by, its panels give.
function shrink(spec, over) {
  const panels = (spec.concat ?? [spec]).filter((panel) => typeof panel.width === "number");
  const columns = spec.concat ? spec.columns ?? panels.length : 1;
  const less = Math.ceil(over / columns);
  for (const panel of panels) panel.width = Math.max(100, panel.width - less);
  return panels.length > 0;
}

function narrowLegends(value, share) {
  if (value === null || typeof value !== "object") return;
  if (value.legend?.columns) value.legend.columns = Math.max(1, Math.floor(value.legend.columns * share));
  Object.values(value).forEach((inner) => narrowLegends(inner, share));
}

// --- legends --------------------------------------------------------------------------------------------------------

// The names of a figure's colours, which stand above it and stay in view while its panels pass.
function namesOf(spec) {
  const layers = (spec.concat ?? [spec]).flatMap((panel) => panel.layer ?? []);
  const scaleOf = (channel) => layers.map((layer) => layer.encoding?.[channel])
    .find((one) => one?.field === "shown" && one.scale?.domain)?.scale;
  const colour = scaleOf("color"), dash = scaleOf("strokeDash");
  return (colour?.domain ?? []).map((name, place) => (
    { name, colour: colour.range[place], dash: (dash?.range[place] ?? [1, 0]).map((length) => 1.8 * length) }
  ));
}

let picked = "";

function chip({ name, colour, dash }) {
  const button = document.createElement("button"), swatch = document.createElement("span");
  button.type = "button";
  button.value = name;
  button.setAttribute("aria-pressed", name === picked);
  swatch.innerHTML = '<svg viewBox="0 0 26 8" aria-hidden="true"><line x1="0" y1="4" x2="26" y2="4"/></svg>';
  swatch.querySelector("line").setAttribute("stroke", colour);
  if (dash[1]) swatch.querySelector("line").setAttribute("stroke-dasharray", dash.join(" "));
  button.append(swatch, name);
  button.addEventListener("click", () => pick(name));
  return button;
}

function showLegend(figure, spec) {
  figure.querySelector(".legend")?.remove();
  figure.names = namesOf(spec);
  if (figure.names.length < 2) return;
  const legend = document.createElement("div");
  legend.className = "legend";
  legend.append(...figure.names.map(chip));
  figure.querySelector(".chart").before(legend);
}

// Highlights a name in all figures that have it; once more, and it is as the others.
function pick(name) {
  picked = picked === name ? "" : name;
  all(".legend button").forEach((button) => button.setAttribute("aria-pressed", button.value === picked));
  all("figure").forEach(pickIn);
}

function pickIn(figure) {
  if (!figure.view || !figure.names?.length) return;
  const name = figure.names.some((one) => one.name === picked) ? picked : "";
  try {
    figure.view.signal("picked", name).runAsync();
  } catch {
    // A figure of dots has no such signal.
  }
}

async function draw(figure) {
  if (!window.vegaEmbed) return;
  figure.drawn = true;
  const chart = figure.querySelector(".chart");
  try {
    figure.result?.finalize();
    const spec = specOf(figure);
    showLegend(figure, spec);
    figure.result = await window.vegaEmbed(chart, spec, OPTIONS);
    const over = (chart.querySelector("svg")?.clientWidth ?? 0) - chart.clientWidth;
    if (over > 0 && shrink(spec, over)) {
      figure.result.finalize();
      figure.result = await window.vegaEmbed(chart, spec, OPTIONS);
    }
    figure.view = figure.result.view;
    figure.classList.add("ready");
    if (box.value) filterFigure(figure);
    if (picked) pickIn(figure);
  } catch (error) {
    chart.textContent = `This figure could not be drawn: ${error.message}`;
    console.error(error);
  }
}

all("select[data-choice]").forEach((select) => {
  select.addEventListener("change", () => draw(select.closest("figure")));
});

const controls = document.querySelector(".controls");
const below = () => document.documentElement.style.setProperty("--controls", `${controls?.offsetHeight ?? 0}px`);
below();

// Turned or resized, what was drawn is drawn anew for the other width.
let width = window.innerWidth, resized;
window.addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(() => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    below();
    all("figure").filter((figure) => figure.view).forEach(draw);
  }, 200);
});

const near = new IntersectionObserver(
  (entries) => entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => {
    near.unobserve(target);
    if (!target.drawn) draw(target);
  }),
  { rootMargin: "600px" },
);
all("figure").forEach((figure) => near.observe(figure));

// Those further down are drawn while nothing else happens, so that a print has them all; closed ones have no width yet.
const idle = window.requestIdleCallback ?? ((call) => setTimeout(call, 50));
async function drawRest() {
  const figure = all("figure").find((one) => !one.drawn && !one.closest("details:not([open])"));
  if (!figure) {
    document.documentElement.dataset.ready = "yes";
    return;
  }
  await draw(figure);
  idle(drawRest);
}
window.addEventListener("load", () => setTimeout(() => idle(drawRest), 500));
})();
