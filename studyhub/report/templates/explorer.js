// Two arms in every basin: a map, both distributions, box plots by group, one against the other, and the basins in a table.

const SHOWN = 100; // rows of the table
const REACH = 0.95; // share of basins within the colours of differences

drivers.explorer = async (stage, { given }) => {
  const { metrics, arms, basins, names, lon, lat, groups, values, judged, lines } = given;
  const state = { ...given.start, show: "difference", only: "", area: null, picked: -1, find: "", sort: [5, true] };
  if (arms.length < 2) state.show = "a";
  const places = Object.fromEntries(["map", "ecdf", "scatter", "boxes"].map((name) => [name, element("div", { className: `view ${name}` })]));
  const mapBox = element("div", { className: "panel" }), controls = element("div", { className: "controls" });
  const summary = element("p", { className: "summary", role: "status" }), onlyBox = element("span", { className: "slot" });
  const tableBox = element("div", { className: "scroll", tabIndex: 0 });
  tableBox.setAttribute("role", "region");
  tableBox.setAttribute("aria-label", "Basins of the chart");

  const metric = () => metrics.find(({ key }) => key === state.metric);
  const group = () => groups.find(({ key }) => key === state.by);
  const larger = () => metric().direction === "larger";
  const placed = lon.some((value) => value !== null);
  const pair = () => (arms.length > 1 ? [arms[state.a], arms[state.b]] : [arms[state.a]]);
  const titled = () => (metric().unit ? `${metric().label} (${metric().unit})` : metric().label);

  /** What is known of each basin of the group that is looked at. */
  function rows() {
    const [a, b] = [values[state.metric][state.a], values[state.metric][state.b]];
    const [toA, toB] = [(judged[state.metric] ?? values[state.metric])[state.a], (judged[state.metric] ?? values[state.metric])[state.b]];
    const by = group(), found = [];
    for (let i = 0; i < basins.length; i += 1) {
      const label = by ? by.labels[by.codes[i]] ?? "not known" : "all basins";
      if (state.only && label !== state.only) continue;
      const difference = toA[i] === null || toB[i] === null ? null : toA[i] - toB[i];
      const shown = state.show === "difference" ? difference : state.show === "a" ? a[i] : b[i];
      found.push({ i, basin: basins[i], name: names?.[i] ?? "", group: label, lon: lon[i], lat: lat[i], a: a[i], b: b[i], difference, shown });
    }
    return found;
  }

  const within = (row) => !state.area ||
    (row.lon >= state.area.lon[0] && row.lon <= state.area.lon[1] && row.lat >= state.area.lat[0] && row.lat <= state.area.lat[1]);

  function hover(row) {
    if (row?.basin === undefined) return null;
    const found = { Basin: row.basin };
    if (row.name) found.Name = row.name;
    if (state.by) found[group().label] = row.group;
    found[`${arms[state.a].name}:`] = told(row.a);
    if (arms.length > 1) Object.assign(found, { [`${arms[state.b].name}: `]: told(row.b), "Difference:": told(row.difference) });
    return found;
  }

  /** Colours of the map, and of one arm against the other. */
  function colouring(found) {
    const values = found.map((row) => row.shown).filter((value) => value !== null);
    const legend = { orient: "bottom", gradientLength: { expr: "max(120, min(320, width - 40))" }, title: null };
    if (state.show === "difference") {
      const sizes = values.map(Math.abs).sort((a, b) => a - b), reach = quantile(sizes, REACH) || sizes.at(-1) || 1;
      return { field: "shown", type: "quantitative", scale: { scheme: "redblue", domain: [-reach, reach], reverse: !larger(), clamp: true }, legend };
    }
    const [low, high] = span(values, metric().direction), far = Math.max(Math.abs(low), Math.abs(high));
    const scale = metric().direction === "zero" ? { scheme: "purpleorange", domain: [-far, far] }
      : { scheme: "viridis", domain: [larger() ? quantile([...values].sort((a, b) => a - b), 0.05) ?? 0 : low, high], reverse: !larger() };
    return { field: "shown", type: "quantitative", scale: { ...scale, clamp: true }, legend };
  }

  const shownTitle = () => {
    const [a, b] = pair();
    if (state.show !== "difference") return `${titled()} of ${(state.show === "a" ? a : b).name}`;
    return `Difference in ${metric().distance}: ${a.name} minus ${b.name}; blue where ${a.name} is better`;
  };

  const params = (...more) => [{ name: "picked", value: state.picked }, ...more];
  const ring = (encoding) => ({
    transform: [{ filter: "datum.i === picked" }],
    mark: { type: "point", filled: false, size: 160, strokeWidth: 2.5, stroke: colourOf("pick"), clip: true }, encoding,
  });

  async function drawMap(found) {
    if (!placed) return;
    const wide = places.map.clientWidth - 60, there = found.filter((row) => row.lon !== null);
    const [x, y, height] = frame(lon, lat, wide);
    const scale = (low, high) => ({ domain: [{ expr: low }, { expr: high }], nice: false, zero: false });
    const degrees = (field, ends, low, high, ticks) => ({
      field, type: "quantitative", scale: scale(low, high),
      axis: { title: null, tickCount: ticks, labelExpr: `format(abs(datum.value), '~r') + '°' + (datum.value < 0 ? '${ends[0]}' : datum.value > 0 ? '${ends[1]}' : '')` },
    });
    const encoding = { x: degrees("lon", "WE", "x0", "x1", 5), y: degrees("lat", "SN", "y0", "y1", 4) };
    const size = Math.min(90, Math.max(14, 14000 / there.length));
    const spec = {
      height,
      params: params({ name: "x0", value: x[0] }, { name: "x1", value: x[1] }, { name: "y0", value: y[0] }, { name: "y1", value: y[1] },
        { name: "area", value: state.area }),
      layer: [
        ...(lines.length ? [{
          data: { values: lines.flatMap((line, part) => line.map(([a, b], order) => ({ lon: a, lat: b, part, order }))) },
          mark: { type: "line", clip: true, strokeWidth: 0.7, color: colourOf("soft"), opacity: 0.6 },
          encoding: { ...encoding, detail: { field: "part" }, order: { field: "order" } },
        }] : []),
        {
          params: [{ name: "brush", select: { type: "interval", on: "[pointerdown[!event.shiftKey], window:pointerup] > window:pointermove!", translate: false, zoom: false } }],
          mark: { type: "point", filled: true, size, stroke: colourOf("edge"), strokeWidth: 0.4, clip: true, invalid: null, cursor: "pointer" },
          encoding: {
            ...encoding,
            color: { condition: { test: "datum.shown !== null", ...colouring(found) }, value: "transparent" },
            opacity: { condition: { test: "!area || (datum.lon >= area.lon[0] && datum.lon <= area.lon[1] && datum.lat >= area.lat[0] && datum.lat <= area.lat[1])", value: 1 }, value: 0.2 },
          },
        },
        ring(encoding),
      ],
    };
    const view = await draw(places.map, spec, there, hover);
    if (!view) return;
    places.map.whole = { x, y };
    view.addEventListener("click", (event, item) => { if (item?.datum?.i !== undefined) pick(item.datum.i); });
    view.addSignalListener("brush", (_, area) => {
      state.area = area.lon && area.lat ? { lon: area.lon, lat: area.lat } : null;
      view.signal("area", state.area).runAsync();
      later();
    });
  }

  function zoomMap(factor, middle) {
    const { view, whole } = places.map;
    if (!view) return;
    const x = zoomed([view.signal("x0"), view.signal("x1")], whole.x, factor, middle?.x);
    const y = zoomed([view.signal("y0"), view.signal("y1")], whole.y, factor, middle?.y);
    showPart(x, y);
  }

  const showPart = (x, y) => places.map.view.signal("x0", x[0]).signal("x1", x[1]).signal("y0", y[0]).signal("y1", y[1]).runAsync();

  const armScale = (field) => {
    const shown = pair(), domain = ["A", "B"].slice(0, shown.length), label = `datum.value === 'A' ? given[0] : given[1]`;
    return {
      color: { field, scale: { domain, range: shown.map(({ colour }) => colour) }, legend: { title: null, orient: "top", labelExpr: label, direction: "vertical" } },
      strokeDash: { field, scale: { domain, range: [[1, 0], [5, 2]] }, legend: { title: null, orient: "top", labelExpr: label, direction: "vertical" } },
    };
  };
  const armNames = () => ({ name: "given", value: pair().map(({ name }) => name) });

  function drawEcdf(kept, limits) {
    const found = [];
    for (const [key, arm] of [["a", "A"], ["b", "B"]].slice(0, arms.length)) {
      const sorted = kept.filter((row) => row[key] !== null).sort((r, s) => r[key] - s[key]);
      found.push(...sorted.map((row, place) => ({ ...row, arm, value: row[key], share: (place + 1) / sorted.length })));
    }
    const encoding = {
      x: { field: "value", type: "quantitative", scale: { domain: limits, nice: false, zero: false }, axis: { title: titled(), tickCount: 6 } },
      y: { field: "share", type: "quantitative", scale: { domain: [0, 1] }, axis: { title: "Share of basins (–)", tickCount: 5 } },
    };
    return draw(places.ecdf, {
      height: 240, params: params(armNames()),
      layer: [
        { mark: { type: "line", interpolate: "step-after", clip: true }, encoding: { ...encoding, ...armScale("arm") } },
        { mark: { type: "point", size: 60, opacity: 0, clip: true }, encoding },
        ring(encoding),
      ],
    }, found, hover);
  }

  function drawScatter(kept, limits) {
    if (arms.length < 2) return null;
    const [a, b] = pair();
    const axis = (field, arm) => ({
      field, type: "quantitative", scale: { domain: limits, nice: false, zero: false }, axis: { title: [`${titled()} of`, arm.name], titleLimit: 260, tickCount: 5 },
    });
    const encoding = { x: axis("b", b), y: axis("a", a) };
    const shown = state.show === "difference" ? { ...colouring(kept), legend: null } : { value: colourOf("accent") };
    return draw(places.scatter, {
      height: 300, params: params(),
      layer: [
        { data: { values: limits.map((v) => ({ v })) }, mark: { type: "line", strokeWidth: 1, color: colourOf("soft") },
          encoding: { x: { ...encoding.x, field: "v" }, y: { ...encoding.y, field: "v" } } },
        { transform: [{ filter: "datum.a !== null && datum.b !== null" }], mark: { type: "point", opacity: 0.9, size: 34, stroke: colourOf("edge"), strokeWidth: 0.4, clip: true, cursor: "pointer" }, encoding: { ...encoding, color: shown } },
        ring(encoding),
      ],
    }, kept, hover).then((view) => view?.addEventListener("click", (event, item) => { if (item?.datum?.i !== undefined) pick(item.datum.i); }));
  }

  function drawBoxes(kept, limits) {
    const labels = state.by ? group().labels.concat("not known").filter((label) => kept.some((row) => row.group === label)) : ["all basins"];
    const found = [];
    for (const label of labels) {
      for (const [key, arm] of [["a", "A"], ["b", "B"]].slice(0, arms.length)) {
        const sorted = kept.filter((row) => row.group === label && row[key] !== null).map((row) => row[key]).sort((r, s) => r - s);
        if (!sorted.length) continue;
        const [low, q1, middle, q3, high] = [0.05, 0.25, 0.5, 0.75, 0.95].map((share) => quantile(sorted, share));
        found.push({ group: label, arm, low, q1, middle, q3, high, n: sorted.length });
      }
    }
    const counts = Object.fromEntries(found.map((row) => [row.group, row.n]));
    const y = { field: "group", type: "nominal", sort: labels, axis: { title: state.by ? group().label : null, labelLimit: 130, titleLimit: 200, grid: false } };
    const yOffset = { field: "arm", scale: { domain: ["A", "B"].slice(0, arms.length) } };
    const x = (field) => ({ field, type: "quantitative", scale: { domain: limits, nice: false, zero: false }, axis: { title: titled(), tickCount: 6 } });
    const { color } = armScale("arm");
    return draw(places.boxes, {
      height: Math.max(80, labels.length * (arms.length > 1 ? 40 : 26)), params: [armNames()],
      encoding: { y, yOffset },
      layer: [
        { mark: { type: "rule", clip: true }, encoding: { x: x("low"), x2: { field: "high" }, color } },
        { mark: { type: "bar", height: 11, clip: true }, encoding: { x: x("q1"), x2: { field: "q3" }, color } },
        { mark: { type: "tick", thickness: 2, size: 11, color: "#fff", clip: true }, encoding: { x: x("middle") } },
      ],
    }, found, (row) => row?.n && {
      [arms[row.arm === "A" ? state.a : state.b].name]: row.group, "Basins:": counts[row.group], "Median:": told(row.middle),
      "Middle half:": `${told(row.q1)} to ${told(row.q3)}`, "5 to 95 %:": `${told(row.low)} to ${told(row.high)}`,
    });
  }

  const columns = () => [
    ["basin", "basin"], ["name", "name"], ["group", state.by ? group().label : "group"], ["a", arms[state.a].name],
    ...(arms.length > 1 ? [["b", arms[state.b].name], ["difference", `difference in ${metric().distance}`]] : []),
  ].filter(([key]) => (key !== "name" || names) && (key !== "group" || state.by));

  function drawTable(kept) {
    const shown = columns(), wanted = state.find.trim().toLowerCase();
    const [by, falling] = [shown[Math.min(state.sort[0], shown.length - 1)][0], state.sort[1]];
    const value = (row) => (by === "difference" && row.difference !== null ? Math.abs(row.difference) : row[by] === "" ? null : row[by]);
    const found = kept.filter((row) => !wanted || `${row.basin} ${row.name}`.toLowerCase().includes(wanted));
    found.sort((r, s) => compareValues(value(r), value(s), falling));
    const table = element("table"), head = table.createTHead().insertRow(), body = table.createTBody();
    shown.forEach(([key, title], place) => {
      const heading = element("th", { scope: "col", textContent: title, className: "abd".includes(key[0]) && key !== "basin" ? "number" : "" });
      if (key === by) heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
      head.append(heading);
    });
    sortButtons([...head.cells], (place, down) => { state.sort = [place, down]; drawTable(kept); tableBox.querySelectorAll(".sort")[place].focus(); });
    for (const row of found.slice(0, SHOWN)) {
      const line = body.insertRow();
      if (row.i === state.picked) line.className = "picked";
      for (const [key] of shown) {
        const number = typeof row[key] === "number" || row[key] === null;
        const cell = element(key === "basin" ? "th" : "td", { className: number ? "number" : "" });
        if (key === "basin") cell.append(button(row.basin, () => pick(row.i), `Show basin ${row.basin}`));
        else cell.append(element("bdi", { textContent: number ? told(row[key]) : row[key] }));
        if (key === "name") cell.className = "long";
        line.append(cell);
      }
    }
    tableBox.replaceChildren(table);
    const count = found.length > SHOWN ? `The first ${SHOWN} of ${found.length} basins; differences are sorted by their size.` : `${found.length} basins.`;
    tableNote.textContent = count;
  }

  function tell(kept) {
    const both = kept.filter((row) => row.a !== null && (arms.length < 2 || row.b !== null));
    const middle = (key) => told(quantile(both.map((row) => row[key]).sort((r, s) => r - s), 0.5));
    const of = state.area ? "basins of the area that is marked" : state.only ? `basins: ${state.only}` : "basins";
    let says = `Median ${titled()} over ${both.length} ${of}: ${arms[state.a].name} ${middle("a")}`;
    if (arms.length > 1) {
      const won = both.filter((row) => (larger() ? row.difference > 0 : row.difference < 0)).length;
      says += `, ${arms[state.b].name} ${middle("b")}. ${arms[state.a].name} is better in ${both.length ? Math.round((100 * won) / both.length) : 0} % of them`;
      says += `, median difference ${told(quantile(both.map((row) => row.difference).sort((r, s) => r - s), 0.5))}`;
    }
    summary.textContent = `${says}.`;
  }

  function pick(i) {
    state.picked = state.picked === i ? -1 : i;
    for (const name of ["map", "ecdf", "scatter"]) places[name].view?.signal("picked", state.picked).runAsync();
    drawTable(rows().filter(within));
    if (state.picked >= 0) document.dispatchEvent(new CustomEvent("basin", { detail: basins[i] }));
  }

  const drawOthers = () => {
    const found = rows(), kept = found.filter(within);
    const limits = span(found.flatMap((row) => [row.a, arms.length > 1 ? row.b : null]), metric().direction);
    tell(kept);
    drawTable(kept);
    return Promise.all([drawEcdf(kept, limits), drawScatter(kept, limits), drawBoxes(kept, limits)]);
  };
  const drawAll = () => {
    mapTitle.textContent = shownTitle();
    return Promise.all([drawMap(rows()), drawOthers()]);
  };
  let waiting = 0;
  const later = () => { clearTimeout(waiting); waiting = setTimeout(drawOthers, 120); };

  function choose(key, value) {
    state[key] = value;
    if (key === "by") { state.only = ""; onlyChoice(); }
    state.area = null;
    return drawAll();
  }

  function onlyChoice() {
    const labels = group()?.labels ?? [];
    onlyBox.replaceChildren(labels.length
      ? choice("Only", [["", "all of them"], ...labels.map((label) => [label, label])], state.only, (value) => choose("only", value)) : "");
  }

  const mapTitle = element("p", { className: "sub" }), tableNote = element("p", { className: "caption" });
  const armOptions = arms.map(({ name }, place) => [String(place), name]);
  controls.append(choice("Metric", metrics.map(({ key, label }) => [key, label]), state.metric, (value) => choose("metric", value)));
  controls.append(choice(arms.length > 1 ? "Arm A" : "Arm", armOptions, String(state.a), (value) => choose("a", Number(value))));
  if (arms.length > 1) {
    controls.append(choice("Arm B", armOptions, String(state.b), (value) => choose("b", Number(value))));
    controls.append(choice("Colour", [["difference", "difference A − B"], ["a", "score of A"], ["b", "score of B"]], state.show, (value) => choose("show", value)));
  }
  if (groups.length) controls.append(choice("Groups", [["", "none"], ...groups.map(({ key, label }) => [key, label])], state.by, (value) => choose("by", value)), onlyBox);
  onlyChoice();
  const find = element("input", { type: "search" });
  find.addEventListener("input", () => { state.find = find.value; drawTable(rows().filter(within)); });
  const search = element("p", { className: "search" }, element("label", {}, "Find a basin ", find), tableNote);
  const panel = (place, title) => element("div", { className: "panel" }, element("p", { className: "sub", textContent: title }), place);
  mapBox.append(mapTitle, places.map, element("p", { className: "buttons" }, button("+", () => zoomMap(0.6), "Zoom in"), button("−", () => zoomMap(1 / 0.6), "Zoom out"),
    button("Whole map", () => showPart(places.map.whole.x, places.map.whole.y)),
    button("All basins", () => { state.area = null; state.picked = -1; drawAll(); }, "Let go of the marked area and basin")));
  const grid = element("div", { className: "panels" }, ...(placed ? [mapBox] : []), panel(places.ecdf, "Distribution over basins"),
    ...(arms.length > 1 ? [panel(places.scatter, "One arm against the other")] : []), panel(places.boxes, "By group: median, middle half, 5 to 95 %"));
  stage.append(controls, summary, grid, search, tableBox);
  navigate(places.map, () => [["x0", "x1", "x"], ["y0", "y1", "y"]], zoomMap, (event) => event.shiftKey);
  onChange(stage, drawAll);
  await drawAll();
};
