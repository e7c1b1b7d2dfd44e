"use strict";
// Sort a table by the column whose head is pressed: numbers as numbers, empty cells last.
function sortTable(head) {
  const table = head.closest("table"), body = table.tBodies[0], column = head.cellIndex;
  const downwards = head.getAttribute("aria-sort") === "ascending";
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", downwards ? "descending" : "ascending");
  const number = head.classList.contains("number");
  const key = row => {
    const text = row.cells[column].textContent.trim();
    if (!number) return text.toLocaleLowerCase();
    const parts = text.replace(/[,\s\u2009]/g, "").replace("\u2212", "-").split(":"); // minutes:seconds too
    return parts.reduce((sum, part) => 60 * sum + parseFloat(part), 0);
  };
  const missing = value => value === "" || Number.isNaN(value);
  const order = (a, b) => {
    const [x, y] = [key(a), key(b)];
    if (missing(x) || missing(y)) return missing(x) - missing(y);
    return (x > y ? 1 : x < y ? -1 : 0) * (downwards ? -1 : 1);
  };
  [...body.rows].sort(order).forEach(row => body.append(row));
}
document.querySelectorAll("thead button").forEach(button => {
  button.addEventListener("click", () => sortTable(button.closest("th")));
});
// Show that a table goes on behind its right edge or below.
function markCut(box) {
  const scroll = box.querySelector(".scroll");
  box.classList.toggle("cut", scroll.scrollWidth - scroll.clientWidth - scroll.scrollLeft > 4);
  box.classList.toggle("long", scroll.scrollHeight - scroll.clientHeight - scroll.scrollTop > 4);
}
const tables = [...document.querySelectorAll(".table")];
const watcher = new ResizeObserver(entries => entries.forEach(entry => markCut(entry.target.closest(".table"))));
tables.forEach(box => {
  box.querySelector(".scroll").addEventListener("scroll", () => markCut(box), { passive: true });
  watcher.observe(box.querySelector(".scroll"));
});
