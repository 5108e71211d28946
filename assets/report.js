"use strict";
// Tables sort by a click, or Enter or Space, on a heading: up, down, and back to the order of the report. Without this
// script the page only lacks that.
(() => {
  // The number that a cell starts with, if what follows is not part of a word: "98.4 ± 0.2", "−0.3", "1.8e-5", "12 of 12".
  const number = (text) => {
    const found = /^[+\-−]?\d+(?:\.\d+)?(?:e[+\-−]?\d+)?(?![\w.])/i.exec(text);
    return found ? Number(found[0].replaceAll("−", "-")) : NaN;
  };
  const empty = (text) => text === "" || text === "—";

  const compare = (numeric, sign) => (a, b) => {
    if (empty(a.text) || empty(b.text)) return empty(a.text) - empty(b.text) || a.place - b.place;
    const order = numeric ? a.value - b.value : a.text.localeCompare(b.text, "en", { numeric: true });
    return sign * order || a.place - b.place;
  };

  const sortable = (table) => {
    const body = table.tBodies[0];
    const original = [...body.rows];
    const headings = [...table.tHead.rows[0].cells];
    const sort = (column, direction) => {
      const keyed = original.map((row, place) => {
        const text = row.cells[column] ? row.cells[column].textContent.trim() : "";
        return { row, place, text, value: number(text) };
      });
      const numeric = keyed.every((key) => empty(key.text) || !Number.isNaN(key.value));
      if (direction !== "none") keyed.sort(compare(numeric, direction === "ascending" ? 1 : -1));
      body.append(...keyed.map((key) => key.row));
      headings.forEach((heading, i) => {
        if (i === column && direction !== "none") heading.setAttribute("aria-sort", direction);
        else heading.removeAttribute("aria-sort");
      });
    };
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const next = { ascending: "descending", descending: "none" };
        sort(column, next[heading.getAttribute("aria-sort")] || "ascending");
      });
    });
  };
  document.querySelectorAll("table").forEach(sortable);

  // Paper cannot be clicked.
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
})();
