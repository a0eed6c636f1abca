"use strict";
// Makes the columns of tables sortable; the page is complete without it.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const inOrder = [...body.rows];
  const headers = [...table.tHead.rows[0].cells];
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    const number = cell.dataset.sort;
    return number === undefined ? cell.textContent : number === "" ? null : Number(number);
  };
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b);
  const sorted = (column, sign) =>
    [...inOrder].sort((a, b) => {
      const [x, y] = [valueOf(a, column), valueOf(b, column)];
      if (x === null || y === null) return (x === null) - (y === null);
      return sign * compare(x, y);
    });
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const next = { ascending: "descending", descending: "none" }[header.getAttribute("aria-sort")] ?? "ascending";
      for (const other of headers) other.removeAttribute("aria-sort");
      if (next !== "none") header.setAttribute("aria-sort", next);
      body.append(...(next === "none" ? inOrder : sorted(column, next === "ascending" ? 1 : -1)));
    });
  });
}
