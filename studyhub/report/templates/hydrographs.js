// Observed and simulated discharge of a basin, day by day: a strip of all days, and a large view of some.

const DAY = 86400000; // ms
const LEAST_DAYS = 20;

drivers.hydrographs = async (stage, { given }) => {
  const { arms, basins, metric } = given;
  const state = { basin: 0, scale: "sqrt", shown: new Set(given.shown) };
  const focus = element("div", { className: "view focus" }), strip = element("div", { className: "view strip" });
  const period = element("p", { className: "summary", role: "status" });
  const basin = () => basins[state.basin];
  const start = () => Date.parse(`${basin().first}T00:00Z`), end = () => start() + (basin().observed.length - 1) * DAY;
  const day = (time) => new Date(time).toISOString().slice(0, 10);
  const series = () => [["observed", colourOf("ink"), basin().observed],
    ...arms.map((arm, i) => [i, arm.colour, basin().simulated[i]]).filter(([i, , values]) => state.shown.has(i) && values)];
  let part = null;

  /** The first October to September with many observed days, or as much as there is. */
  function begin() {
    const first = start(), last = end(), year = new Date(first).getUTCFullYear();
    let best = null;
    for (let y = year; Date.UTC(y + 1, 8, 30) <= last; y += 1) {
      const from = Date.UTC(y, 9, 1), to = Date.UTC(y + 1, 8, 30);
      if (from < first) continue;
      const there = basin().observed.slice((from - first) / DAY, (to - first) / DAY).filter((value) => value !== null).length;
      if (!best || there >= best.there) best = { from, to, there };
    }
    return best ? [best.from, best.to] : [first, last];
  }

  /** The largest discharge in view; a simulated flood of several times all observed ones is cut off. */
  function top([from, to]) {
    const [low, high] = [from, to].map((time) => Math.round((time - start()) / DAY)), first = Math.max(0, low);
    const most = series().map(([, , values]) => values.slice(first, high + 1).reduce((a, b) => Math.max(a, b ?? 0), 0));
    return 1.05 * Math.min(Math.max(...most), most[0] > 0 ? 3 * most[0] : Infinity) || 1;
  }

  function least() {
    const known = series().flatMap(([, , values]) => values).filter((value) => value > 0).sort((a, b) => a - b);
    return Math.max(quantile(known, 0.005) ?? 0.001, 1e-4);
  }

  const shownPart = { domainMin: { expr: "from" }, domainMax: { expr: "to" } };
  const time = (domain = {}) => ({
    field: "time", type: "temporal", scale: { type: "utc", ...domain, nice: false },
    axis: { title: null, tickCount: { expr: "max(3, width / 90)" } },
  });

  async function drawFocus() {
    const lines = series(), first = start();
    const rows = lines.flatMap(([key, , values]) => values.map((q, i) => ({ time: first + i * DAY, q, key: String(key) })));
    const names = { observed: "observed", ...Object.fromEntries(arms.map((arm, i) => [i, arm.name])) };
    const scale = { domain: lines.map(([key]) => String(key)), range: lines.map(([, colour]) => colour) };
    const legend = { title: null, orient: "top", direction: "vertical", columns: focus.clientWidth > 600 ? 3 : 1, labelExpr: "names[datum.value]" };
    const low = state.scale === "log" ? least() : 0;
    const view = await draw(focus, {
      height: 300,
      params: [{ name: "from", value: part[0] }, { name: "to", value: part[1] }, { name: "top", value: top(part) }, { name: "day", value: null }, { name: "names", value: names }],
      layer: [
        {
          mark: { type: "line", clip: true, strokeWidth: 1.3 },
          encoding: {
            x: time(shownPart),
            y: { field: "q", type: "quantitative", scale: { type: state.scale, domain: [low, { expr: "top" }], nice: false, clamp: state.scale === "log" }, axis: { title: "Discharge (mm/d)", tickCount: 6, format: "~g" } },
            color: { field: "key", scale, legend },
            strokeDash: { field: "key", scale: { domain: scale.domain, range: lines.map((_, i) => (i < 2 ? [1, 0] : [[6, 2], [2, 2], [6, 2, 2, 2]][(i - 2) % 3])) }, legend },
          },
        },
        { data: { values: [{}] }, transform: [{ calculate: "day === null ? from - 1 : day", as: "time" }],
          mark: { type: "rule", color: colourOf("soft"), clip: true }, encoding: { x: time(shownPart) } },
      ],
    }, rows);
    if (!view) return;
    focus.whole = { x: [start(), end()] };
    view.addEventListener("pointermove", (event) => point(event, lines));
    view.addEventListener("pointerout", () => { showTip(); view.signal("day", null).runAsync(); });
  }

  function point(event, lines) {
    const place = at(focus, event);
    if (place.x < 0 || place.x > focus.view.width() || place.y < 0 || place.y > focus.view.height()) { showTip(); return; }
    const i = Math.round((Number(focus.view.scale("x").invert(place.x)) - start()) / DAY), found = { "": day(start() + i * DAY) };
    for (const [key, , values] of lines) found[key === "observed" ? "observed:" : `${arms[key].name}: `] = `${told(values[i])} mm/d`;
    focus.view.signal("day", start() + i * DAY).runAsync();
    showTip(event, found);
  }

  function drawStrip() {
    const { observed } = basin(), first = start(), width = Math.max(1, Math.round(observed.length / 700)), rows = [];
    for (let i = 0; i < observed.length; i += width) {
      const known = observed.slice(i, i + width).filter((value) => value !== null);
      rows.push({ time: first + i * DAY, q: known.length ? Math.max(...known) : null });
    }
    strip.whole = { x: [start(), end()] };
    return draw(strip, {
      height: 56, params: [{ name: "from", value: part[0] }, { name: "to", value: part[1] }],
      layer: [
        { mark: { type: "area", color: colourOf("soft"), opacity: 0.7 }, encoding: { x: time(), y: { field: "q", type: "quantitative", scale: { type: "sqrt" }, axis: null } } },
        { data: { values: [{ end: 0 }, { end: 1 }] }, transform: [{ calculate: "datum.end ? to : from", as: "time" }],
          mark: { type: "area", color: colourOf("accent"), opacity: 0.3, line: false, clip: true },
          encoding: { x: time(), y: { value: 0 }, y2: { value: "height" } } },
      ],
    }, rows);
  }

  function show(wanted) {
    part = wanted;
    focus.view?.signal("from", part[0]).signal("to", part[1]).signal("top", top(part)).runAsync();
    strip.view?.signal("from", part[0]).signal("to", part[1]).runAsync();
    say();
  }

  function say() {
    const scores = arms.map((arm, i) => [arm, i]).filter(([, i]) => state.shown.has(i)).map(([arm, i]) => `${arm.name} ${told(basin().scores[i])}`);
    period.textContent = `Basin ${basin().basin}, ${day(part[0])} to ${day(part[1])}. ${metric} of the test period, mean over seeds: ${scores.join(", ") || "–"}.`;
  }

  const whole = () => [start(), end()];
  const zoom = (factor, middle) => {
    const found = zoomed(part, whole(), factor, middle?.x);
    if (found[1] - found[0] >= LEAST_DAYS * DAY || factor > 1) show(found);
  };
  const step = (share) => show(moved(part, whole(), share * (part[1] - part[0])));
  const drawAll = () => { say(); return Promise.all([drawFocus(), drawStrip()]); };
  function choose(i) {
    state.basin = i;
    part = begin();
    return drawAll();
  }

  strip.addEventListener("pointerdown", (down) => {
    if (!strip.view) return;
    down.preventDefault();
    const when = (event) => Math.min(end(), Math.max(start(), Number(strip.view.scale("x").invert(at(strip, event).x))));
    const from = when(down), wide = part[1] - part[0];
    const move = (event) => {
      const to = when(event);
      if (Math.abs(to - from) >= LEAST_DAYS * DAY) show([Math.min(from, to), Math.max(from, to)]);
    };
    const up = (event) => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", up);
      removeEventListener("pointercancel", up);
      if (Math.abs(when(event) - from) < LEAST_DAYS * DAY) show(moved([from - wide / 2, from + wide / 2], whole(), 0));
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", up);
    addEventListener("pointercancel", up);
  });
  navigate(focus, () => [["from", "to", "x"]], zoom, () => true);
  focus.addEventListener("moved", () => show([focus.view.signal("from"), focus.view.signal("to")]));

  const basinChoice = choice("Basin", basins.map(({ title }, i) => [String(i), title]), "0", (value) => choose(Number(value)));
  const scaleChoice = choice("Axis", [["sqrt", "square root"], ["linear", "linear"], ["log", "logarithm"]], state.scale, (value) => { state.scale = value; drawFocus(); });
  const boxes = arms.map((arm, i) => {
    const box = element("input", { type: "checkbox", checked: state.shown.has(i) });
    box.addEventListener("change", () => { state.shown[box.checked ? "add" : "delete"](i); say(); drawFocus(); });
    return element("label", { className: "arm" }, box, element("span", { className: "key", style: `background:${arm.colour}` }), element("bdi", { textContent: arm.name }));
  });
  const armChoice = element("fieldset", {}, element("legend", { textContent: "Arms" }), ...boxes);
  const buttons = element("p", { className: "buttons" }, button("‹", () => step(-0.5), "Earlier"), button("›", () => step(0.5), "Later"),
    button("+", () => zoom(0.5), "Zoom in"), button("−", () => zoom(2), "Zoom out"), button("Whole period", () => show(whole())), button("One year", () => show(begin())));
  stage.append(element("div", { className: "controls" }, basinChoice, scaleChoice, armChoice), period, focus, strip, buttons);
  document.addEventListener("basin", ({ detail }) => {
    const i = basins.findIndex((known) => known.basin === detail);
    if (i < 0) return;
    basinChoice.querySelector("select").value = String(i);
    choose(i);
  });
  onChange(stage, drawAll);
  await choose(0);
};
