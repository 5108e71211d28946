// What scripts/page-check.sh asks of each page, in Chromium by playwright.
//   page-check.mjs TOOLS BROWSER OUT PAGE.html[=LEAST-MOST]…      LEAST-MOST: sheets of paper that the page may take
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [tools, browserPath, out, ...pages] = process.argv.slice(2);
const require = createRequire(resolve(tools, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const { getDocument } = await import(pathToFileURL(require.resolve("pdfjs-dist/legacy/build/pdf.mjs")));

const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 400, height: 800 };
// CSS px of a mm.
const MM = 96 / 25.4;

let passed = 0;
const failures = [];
const check = (name, good, why = "") => {
  if (good) passed += 1;
  else failures.push(`${name}${why ? `: ${why}` : ""}`);
};
const list = (found) => found.slice(0, 8).join("\n    ") + (found.length > 8 ? `\n    and ${found.length - 8} more` : "");
const none = (name, found) => check(name, found.length === 0, `\n    ${list(found)}`);

// Everything whose content is wider than its box, or that ends right of the window.
const overflowing = () => {
  const wide = document.documentElement.scrollWidth > innerWidth ? [`the page is ${document.documentElement.scrollWidth} px wide`] : [];
  for (const part of document.querySelectorAll(".scroll, pre, figure, p, dd, li, form")) {
    if (part.scrollWidth > part.clientWidth + 1) wide.push(`${part.tagName} in #${part.closest("section")?.id ?? "head"} holds ${part.scrollWidth} px in ${part.clientWidth}: ${part.textContent.trim().slice(0, 60)}`);
  }
  return wide;
};

const look = async (page, name) => {
  await page.addScriptTag({ content: axe }).catch(() => page.evaluate(axe));
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  none(name, violations.flatMap((v) => v.nodes.map((node) => `${v.id} (${v.impact}): ${node.target.join(" ")}: ${node.failureSummary.replaceAll("\n", " ")}`)));
};

const sorts = async (page, name) => {
  const unnamed = await page.$$eval("th button", (all) => all.filter((b) => !b.textContent.trim()).length);
  check(`${name}: each control that sorts has a name`, unnamed === 0, `${unnamed} have none`);
  const column = (i) => page.$$eval("#table tbody", ([body], i) => [...body.rows].map((row) => row.cells[i].textContent.trim()), i);
  const values = (texts) => texts.map((text) => parseFloat(text.replaceAll("−", "-"))).filter((value) => !Number.isNaN(value));
  const buttons = await page.$$("#table table:first-of-type thead button");
  const table = await page.$$("#table table");
  const heads = table.length ? await table[0].$$("thead button") : buttons;
  for (const [i, head] of heads.entries()) {
    const before = await column(i);
    await head.click();
    const up = await column(i);
    await head.click();
    const down = await column(i);
    await head.click();
    const again = await column(i);
    check(`${name}: column ${i + 1} comes back`, again.join() === before.join());
    const sorted = [...before].sort().join();
    check(`${name}: column ${i + 1} keeps its cells`, [up, down].every((cells) => [...cells].sort().join() === sorted));
    const numbers = before.every((text) => text === "—" || text === "" || /^[+−-]?\d/.test(text));
    if (numbers) {
      check(`${name}: column ${i + 1} rises`, values(up).every((v, n, all) => n === 0 || all[n - 1] <= v), up.join(" | "));
      check(`${name}: column ${i + 1} falls`, values(down).every((v, n, all) => n === 0 || all[n - 1] >= v), down.join(" | "));
      const gaps = up.map((text) => text === "—" || text === "");
      check(`${name}: column ${i + 1} has gaps last`, gaps.every((gap, n) => !gap || gaps.slice(n).every(Boolean)));
    }
  }
};

const filters = async (page, name) => {
  const seen = () => page.evaluate(() => {
    const visible = (part) => part.checkVisibility();
    const of = (key) => [...document.querySelectorAll(`[data-${key}]`)].filter(visible).map((part) => part.dataset[key]);
    return { row: of("row"), category: of("category"), metric: of("metric"), all: [...document.querySelectorAll("main *")].filter(visible).length };
  });
  const first = await seen();
  for (const key of ["row", "category", "metric"]) {
    const field = page.locator(`#filter [name=${key}]`);
    if ((await field.count()) === 0) continue;
    const values = [...new Set(first[key])];
    const value = values[values.length - 1];
    if (key === "row") await field.fill(value);
    else await field.selectOption(value);
    const shown = await seen();
    const fits = (other) => key === "row" ? other.toLowerCase().includes(value.toLowerCase()) : other === value;
    check(`${name}: the filter by ${key} shows what was asked for and nothing else`, shown[key].length > 0 && shown[key].every(fits), shown[key].filter((other) => !fits(other)).slice(0, 5).join(", "));
    check(`${name}: the filter by ${key} says so`, (await page.locator("#filter output").textContent()).startsWith("Shown: "));
    await page.locator("#filter button").click();
    await page.waitForTimeout(50);
    check(`${name}: all is shown again`, (await seen()).all === first.all);
  }
};

// Lines of text of a sheet, from its top, and whether any letter lies outside.
const sheet = async (page) => {
  const [, , width, height] = page.view;
  const items = (await page.getTextContent()).items.filter((item) => item.str.trim());
  const outside = items.filter((item) => item.transform[4] < -1 || item.transform[4] + item.width > width + 1 || item.transform[5] < -1 || item.transform[5] > height + 1);
  const rows = new Map();
  for (const item of items) {
    const y = Math.round(item.transform[5]);
    rows.set(y, (rows.get(y) ?? []).concat(item));
  }
  const lines = [...rows].sort(([a], [b]) => b - a).map(([, row]) => row.sort((a, b) => a.transform[4] - b.transform[4]).map((item) => item.str).join(" "));
  const operators = await page.getOperatorList();
  return { lines, outside: outside.map((item) => item.str), empty: lines.length === 0 && operators.fnArray.length < 20 };
};

const plain = (text) => text.replace(/\s+/g, "");

const prints = async (page, name, bounds) => {
  const headings = await page.$$eval("h2, h3, caption, summary", (all) => all.map((h) => h.textContent));
  const broad = await page.evaluate(() => document.body.classList.contains("broad"));
  await page.setViewportSize({ width: Math.floor((broad ? 297 - 24 : 210 - 28) * MM), height: 900 });
  await page.emulateMedia({ media: "print" });
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  none(`${name}: nothing is cut on paper`, await page.evaluate(overflowing));
  await page.evaluate(() => dispatchEvent(new Event("afterprint")));
  await page.emulateMedia({ media: null });
  await page.setViewportSize(WIDE);
  const bytes = await page.pdf({ format: "A4", preferCSSPageSize: true });
  writeFileSync(join(out, `${name}.pdf`), bytes);
  const paper = await getDocument({ data: new Uint8Array(bytes), verbosity: 0 }).promise;
  const sheets = [];
  for (let n = 1; n <= paper.numPages; n += 1) sheets.push(await sheet(await paper.getPage(n)));
  none(`${name}: no sheet is empty`, sheets.flatMap(({ empty }, n) => (empty ? [`sheet ${n + 1}`] : [])));
  none(`${name}: no letter is outside its sheet`, sheets.flatMap(({ outside }, n) => outside.map((text) => `sheet ${n + 1}: ${text}`)));
  const known = new Set(headings.map(plain));
  const orphans = sheets.flatMap(({ lines }, n) => (n + 1 < sheets.length && known.has(plain(lines.at(-1) ?? "")) ? [`sheet ${n + 1} ends with ${lines.at(-1)}`] : []));
  none(`${name}: no heading stands alone at the end of a sheet`, orphans);
  const all = sheets.flatMap(({ lines }) => lines).map(plain).join("");
  none(`${name}: every heading is on paper`, headings.filter((text) => !all.includes(plain(text))));
  if (bounds) check(`${name}: ${bounds.join(" to ")} sheets`, paper.numPages >= bounds[0] && paper.numPages <= bounds[1], `it has ${paper.numPages}`);
  return paper.numPages;
};

const links = async (page, name, file) => {
  const found = await page.$$eval("a[href]", (all) => all.map((a) => a.getAttribute("href")));
  const there = (href) => href.startsWith("#") ? found.length > 0 : existsSync(join(dirname(file), decodeURIComponent(href)));
  none(`${name}: links lead somewhere`, found.filter((href) => !there(href)));
  const places = await page.$$eval("a[href^='#']", (all) => all.map((a) => a.getAttribute("href")).filter((href) => !document.getElementById(href.slice(1))));
  none(`${name}: places on the page are there`, places);
};

mkdirSync(out, { recursive: true });
const browser = await chromium.launch({
  executablePath: browserPath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
for (const argument of pages) {
  const [, path, least, most] = /^(.*?)(?:=(\d+)-(\d+))?$/.exec(argument);
  const file = resolve(path);
  const name = basename(dirname(file));
  const address = pathToFileURL(file).href;
  // axe is put into the page, which its policy would forbid.
  const context = await browser.newContext({ viewport: WIDE, bypassCSP: true });
  const page = await context.newPage();
  const said = [];
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) said.push(message.text()); });
  page.on("pageerror", (error) => said.push(String(error)));
  page.on("requestfailed", (request) => said.push(`${request.url()} could not be loaded`));
  page.on("request", (request) => { if (!/^(file|data|blob):/.test(request.url())) said.push(`it asks for ${request.url()}`); });
  await page.goto(address);
  none(`${name}: nothing overflows at ${WIDE.width} px`, await page.evaluate(overflowing));
  await page.screenshot({ path: join(out, `${name}-1280.png`), fullPage: true });
  await links(page, name, file);
  await sorts(page, name);
  await filters(page, name);
  const sheets = await prints(page, name, least && [Number(least), Number(most)]);
  await look(page, `${name}: axe at ${WIDE.width} px`);
  await page.emulateMedia({ colorScheme: "dark" });
  await look(page, `${name}: axe in the dark`);
  await page.screenshot({ path: join(out, `${name}-dark.png`) });
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(NARROW);
  await look(page, `${name}: axe at ${NARROW.width} px`);
  check(`${name}: the page is no wider than a window of ${NARROW.width} px`, await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await page.screenshot({ path: join(out, `${name}-400.png`), fullPage: true });
  none(`${name}: the console is silent`, said);

  // Its own policy and no help, then no script at all.
  for (const javaScriptEnabled of [true, false]) {
    const bare = await browser.newContext({ viewport: WIDE, javaScriptEnabled });
    const plainPage = await bare.newPage();
    const errors = [];
    plainPage.on("console", (message) => { if (message.type() === "error") errors.push(message.text()); });
    await plainPage.goto(address);
    const how = javaScriptEnabled ? "by its own policy" : "without script";
    none(`${name}: ${how} the console is silent`, errors);
    check(`${name}: ${how} the table is there`, await plainPage.locator("#table table").first().isVisible());
    check(`${name}: ${how} the filter ${javaScriptEnabled ? "works" : "is hidden"}`, (await plainPage.locator("#filter:visible").count()) === ((await plainPage.locator("#filter").count()) && javaScriptEnabled ? 1 : 0));
    await bare.close();
  }
  console.log(`page-check: ${name}: ${sheets} sheets`);
  await context.close();
}
await browser.close();
failures.forEach((failure) => console.log(`FAILED ${failure}`));
console.log(`${passed} passed, ${failures.length} failed`);
process.exit(failures.length ? 1 : 0);
