"use strict";
// Tables sort by a click, or Enter or Space, on a heading: up, down, and back to the order of the report. A form shows one row,
// category or metric. Without this script the page only lacks that.
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

  // What the filter asks for; what a part of the page does not name, it is not hidden for.
  const filter = (form) => {
    const fields = ["row", "category", "metric"].filter((name) => form.elements[name]);
    const marked = document.querySelectorAll(fields.map((name) => `[data-${name}]`).join(","));
    const fits = (name, asked, own) => name === "row" ? own.toLowerCase().includes(asked.toLowerCase()) : own === asked;
    const show = () => {
      const asked = fields.map((name) => [name, form.elements[name].value.trim()]).filter(([, value]) => value);
      const off = (part) => asked.some(([name, value]) => part.dataset[name] !== undefined && !fits(name, value, part.dataset[name]));
      marked.forEach((part) => { part.hidden = off(part); });
      document.querySelectorAll("table").forEach((table) => {
        const hidden = [...table.tHead.rows[0].cells].map((heading) => heading.hidden);
        for (const row of table.tBodies[0].rows) [...row.cells].forEach((cell, i) => { cell.hidden = hidden[i]; });
      });
      const words = asked.map(([name, value]) => {
        const field = form.elements[name];
        return `${name} ${field.options ? field.options[field.selectedIndex].text : `“${value}”`}`;
      });
      const rows = [...document.querySelectorAll("#table table")[0]?.tBodies[0].rows ?? []];
      const count = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
      form.querySelector("output").textContent = words.length ? `Shown: ${words.join(", ")} (${count})` : "";
    };
    form.addEventListener("input", show);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(show));
    form.hidden = false;
    // A browser may bring back what was typed before.
    show();
  };
  const form = document.getElementById("filter");
  if (form) filter(form);

  // Paper cannot be clicked.
  const folded = [];
  addEventListener("beforeprint", () => document.querySelectorAll("details:not([open])").forEach((d) => { d.open = true; folded.push(d); }));
  addEventListener("afterprint", () => { folded.splice(0).forEach((d) => { d.open = false; }); });
})();
