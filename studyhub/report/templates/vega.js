// Views drawn by Vega, in the look of the page, light or dark.

const MANY = 1500; // rows from which a view is painted: so many elements would make the page slow
const night = matchMedia("(prefers-color-scheme: dark)");
const colourOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** What is the same in every view. */
function look() {
  const [ink, soft, grid, frame] = ["ink", "soft", "grid", "frame"].map(colourOf);
  const text = { labelColor: ink, titleColor: ink, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" };
  return {
    background: null,
    font: getComputedStyle(document.body).fontFamily,
    aria: false, // the figure is told by its title and caption, and its values by its table
    axis: { ...text, gridColor: grid, domainColor: soft, tickColor: soft, labelOverlap: true },
    legend: { ...text, labelLimit: 260, symbolStrokeWidth: 2, titleLimit: 300 },
    header: text,
    title: { color: ink, fontSize: 13, fontWeight: "normal" },
    view: { stroke: frame },
    style: { cell: { stroke: frame } },
    range: { category: ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"] },
    rule: { color: ink },
    text: { color: ink },
    line: { strokeWidth: 1.6 },
    point: { filled: true },
  };
}

const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
document.body.append(tip);

/** Show what is under the pointer. Names come from anywhere: they are put in as text, never as HTML. */
function showTip(event, says) {
  tip.hidden = !says;
  if (!says) return;
  tip.replaceChildren(...Object.entries(says).map(([name, value]) => {
    const row = document.createElement("p");
    const label = document.createElement("bdi");
    const shown = document.createElement("bdi");
    label.textContent = `${name} `;
    shown.textContent = String(value);
    row.append(label, shown);
    return row;
  }));
  const box = tip.getBoundingClientRect();
  const left = event.clientX + 14 + box.width < innerWidth ? event.clientX + 14 : Math.max(4, event.clientX - 14 - box.width);
  const top = event.clientY + 14 + box.height < innerHeight ? event.clientY + 14 : Math.max(4, event.clientY - 14 - box.height);
  tip.style.left = `${left}px`;
  tip.style.top = `${top}px`;
}

const tooltip = (handler, event, item, value) =>
  showTip(event, value && typeof value === "object" ? value : value && { "": value });

addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hidden = true; });
addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

/** Draw a specification in a place, instead of what is there. `ast` lets Vega do without `eval`; `hover` tells of what is pointed at. */
async function draw(place, spec, rows, hover) {
  const turn = (place.turn = (place.turn ?? 0) + 1);
  const drawn = await vegaEmbed(place, { width: "container", ...spec, data: { name: "rows", values: rows } }, {
    mode: "vega-lite", actions: false, ast: true, defaultStyle: false, tooltip, config: look(), renderer: rows.length > MANY ? "canvas" : "svg",
  });
  if (turn !== place.turn) return drawn.finalize(); // drawn anew in the meantime
  place.view?.finalize();
  place.view = drawn.view;
  if (hover) {
    drawn.view.addEventListener("pointermove", (event, item) => showTip(event, hover(item?.datum)));
    drawn.view.addEventListener("pointerout", () => showTip());
  }
  return drawn.view;
}

/** Rows of columns that are equally long. */
function rowsOf(columns) {
  const names = Object.keys(columns);
  return (columns[names[0]] ?? []).map((_, i) => Object.fromEntries(names.map((name) => [name, columns[name][i]])));
}

function element(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in made) made[key] = value; else made.setAttribute(key, value);
  }
  made.append(...content);
  return made;
}

/** A labelled list to choose from: options are [value, text]. */
let choices = 0;
function choice(label, options, chosen, changed) {
  const id = `choice-${(choices += 1)}`;
  const list = element("select", { id }, ...options.map(([value, text]) => element("option", { value, textContent: text, dir: "auto" })));
  list.value = chosen;
  list.addEventListener("change", () => changed(list.value));
  return element("div", { className: "choice" }, element("label", { htmlFor: id, textContent: label }), list);
}

const button = (text, pressed, title = text) => {
  const made = element("button", { type: "button", textContent: text, title, className: "do" });
  made.setAttribute("aria-label", title);
  made.addEventListener("click", pressed);
  return made;
};

/** Number for people: three digits, a real minus. */
function told(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const text = value.toPrecision(digits);
  return (value === 0 ? "0" : text.includes("e") ? String(Number(text)) : text).replace("-", "−");
}

const quantile = (sorted, share) => {
  if (!sorted.length) return null;
  const place = (sorted.length - 1) * share, low = Math.floor(place);
  return sorted[low] + (place - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
};

/** Part of an axis that shows nearly all values: those of a few basins that lie far off do not squeeze all others. */
function span(values, direction) {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  if (!sorted.length) return [0, 1];
  const low = quantile(sorted, 0.02), high = quantile(sorted, 0.98), wide = high - low || 1;
  if (direction === "larger") return [low - 0.05 * wide, Math.min(sorted.at(-1), Math.max(1, high)) + 0.02 * wide];
  if (direction === "smaller") return [0, high + 0.05 * wide];
  return [low - 0.05 * wide, high + 0.05 * wide];
}

/** West to east, south to north, and a height that gives a degree the same length in both directions at the middle latitude. */
function frame(lon, lat, wide) {
  const span = (values) => {
    const known = values.filter((value) => value !== null);
    return [Math.min(...known), Math.max(...known)];
  };
  const [west, east] = span(lon), [south, north] = span(lat), x = (west + east) / 2, y = (south + north) / 2;
  const narrow = Math.max(Math.cos((y * Math.PI) / 180), 0.2);
  let across = Math.max(1.08 * (east - west), 4), up = Math.max(1.12 * (north - south), 4);
  const height = Math.min(420, Math.max(170, (wide * up) / (across * narrow)));
  across = Math.max(across, (wide * up) / (height * narrow));
  up = (across * narrow * height) / wide;
  return [[x - across / 2, x + across / 2], [y - up / 2, y + up / 2], Math.round(height)];
}

/** Where a pointer is in the units of a view's scales. */
function at(place, event) {
  const box = place.querySelector("canvas, svg").getBoundingClientRect();
  const [left, top] = place.view.origin();
  return { x: event.clientX - box.left - left, y: event.clientY - box.top - top };
}

/** Show a narrower or wider part of an axis, around a middle, never more than all of it. */
function zoomed([low, high], [least, most], factor, middle = (low + high) / 2) {
  const wide = Math.min((high - low) * factor, most - least);
  const start = Math.max(least, Math.min(middle - (middle - low) * factor, most - wide));
  return [start, start + wide];
}

function moved([low, high], [least, most], by) {
  const step = Math.max(least - low, Math.min(by, most - high));
  return [low + step, high + step];
}

/** Zoom with Ctrl and the wheel, move by dragging where `drags` says so: the wheel alone scrolls the page, as anywhere. */
function navigate(place, axes, zoom, drags) {
  place.addEventListener("wheel", (event) => {
    if (!event.ctrlKey || !place.view) return;
    event.preventDefault();
    const point = at(place, event);
    zoom(event.deltaY > 0 ? 1.25 : 0.8, Object.fromEntries(axes().map(([, , axis]) => [axis, place.view.scale(axis).invert(point[axis])])));
  }, { passive: false });
  place.addEventListener("pointerdown", (start) => {
    if (!drags(start) || !place.view || start.button !== 0) return;
    start.preventDefault();
    const from = at(place, start), before = axes().map(([low, high]) => [place.view.signal(low), place.view.signal(high)]);
    const scales = axes().map(([, , axis]) => place.view.scale(axis).copy());
    const move = (event) => {
      const to = at(place, event);
      axes().forEach(([low, high, axis], i) => {
        const by = Number(scales[i].invert(from[axis])) - Number(scales[i].invert(to[axis]));
        const [a, b] = moved(before[i], place.whole[axis], by);
        place.view.signal(low, a).signal(high, b);
      });
      place.view.runAsync();
      place.dispatchEvent(new CustomEvent("moved"));
    };
    const end = () => { removeEventListener("pointermove", move); removeEventListener("pointerup", end); removeEventListener("pointercancel", end); };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end);
    addEventListener("pointercancel", end);
  });
}

/** Draw anew for another theme, and where the page has become clearly wider or narrower. */
function onChange(stage, redraw) {
  night.addEventListener("change", redraw);
  let width = stage.clientWidth, waiting = 0;
  new ResizeObserver(() => {
    if (Math.abs(stage.clientWidth - width) < 30 || !stage.clientWidth) return;
    width = stage.clientWidth;
    clearTimeout(waiting);
    waiting = setTimeout(redraw, 150);
  }).observe(stage);
}

const drivers = {
  chart(stage, { spec, given }) {
    const place = element("div", { className: "view" });
    stage.append(place);
    const redraw = () => draw(place, spec, rowsOf(given));
    onChange(stage, redraw);
    return redraw();
  },
};
