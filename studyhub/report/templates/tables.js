// Tables that can be sorted by any of their columns, and long ones searched.

const LONG_TABLE = 12; // rows from which a table has a box to search it
const words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** The value that a cell is sorted by: a number where it is one, null where there is none. */
function cellValue(cell) {
  if (cell.dataset.value) return Number(cell.dataset.value);
  const text = cell.textContent.trim();
  if (text === "" || text === "–") return null;
  const digits = text.replace(/[\s\u202f\u00a0]/g, "").replace(/^[<>≤≥]/, "").replace("−", "-");
  return digits !== "" && Number.isFinite(Number(digits)) ? Number(digits) : text;
}

/** Order of two values; missing ones last in either direction, words after numbers. */
function compareValues(a, b, falling) {
  if (a === null || b === null) return (a === null) - (b === null);
  const sign = falling ? -1 : 1;
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  if (typeof a === "number" || typeof b === "number") return typeof a === "number" ? -1 : 1;
  return sign * words.compare(a, b);
}

/** Put a button into each heading of a row, which calls `sort(place, falling)`. */
function sortButtons(headings, sort) {
  headings.forEach((heading, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const before = heading.getAttribute("aria-sort");
      // Numbers are mostly looked at from the largest down.
      const falling = before ? before === "ascending" : heading.classList.contains("number");
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
      sort(place, falling);
    });
  });
}

function sortable(table) {
  const body = table.tBodies[0];
  sortButtons([...table.tHead.rows[0].cells], (place, falling) => {
    const rows = [...body.rows].map((row) => [cellValue(row.cells[place]), row]);
    rows.sort((a, b) => compareValues(a[0], b[0], falling));
    body.append(...rows.map((pair) => pair[1]));
  });
}

function searchable(table) {
  const rows = [...table.tBodies[0].rows];
  const box = document.createElement("input");
  const label = document.createElement("label");
  const count = document.createElement("span");
  box.type = "search";
  count.setAttribute("role", "status");
  label.append("Rows with ", box);
  const line = document.createElement("p");
  line.className = "search";
  line.append(label, count);
  table.closest(".scroll").before(line);
  box.addEventListener("input", () => {
    const wanted = box.value.trim().toLowerCase();
    rows.forEach((row) => { row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted); });
    const left = rows.filter((row) => !row.hidden).length;
    count.textContent = wanted === "" ? "" : `${left} of ${rows.length}`;
  });
}

document.querySelectorAll("figure.table table").forEach((table) => {
  if (table.tBodies[0].rows.length > 1) sortable(table);
  if (table.tBodies[0].rows.length > LONG_TABLE) searchable(table);
});
