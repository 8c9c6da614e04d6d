"use strict";
// The table of all quantities: only the rows in view are in the page, so that a hundred thousand are no more than ten.
(() => {
  const OVERSCAN = 6;
  const ROW = 1.9; // rem
  const FIGURE_SPACE = "\u2007", POINT_SPACE = "\u2008";
  const MAX_ALIGNED = 5;

  const make = (tag, role, text) => {
    const element = document.createElement(tag);
    if (role) element.setAttribute("role", role);
    if (text !== undefined) element.textContent = text;
    return element;
  };

  async function open(explorer) {
    const spec = JSON.parse(explorer.querySelector("script").textContent);
    const labels = await packed.json(spec.labels);
    for (const column of spec.columns) {
      const values = await packed.floats(column.values, column.bits);
      column.exact = new Map(column.exact);
      column.values = column.exact.size ? Float64Array.from(values) : values;
      for (const [row, value] of column.exact) column.values[row] = value;
    }
    const variable = new Uint32Array(spec.rows);
    spec.variables.reduce((start, { rows }, i) => { variable.fill(i, start, start + rows); return start + rows; }, 0);
    return { ...spec, labels, variable, folded: labels.map((label) => label.normalize("NFC").toLowerCase()) };
  }

  function start(explorer, table) {
    const find = (selector) => explorer.querySelector(selector);
    const grid = find(".grid"), body = find(".grid-body"), shown = find(".shown"), detail = find(".detail");
    const sd = (table.columns.find((column) => column.name === "sd") || {}).values;
    const drawnAt = new Map(table.drawn ? table.drawn.rows.map((row, place) => [row, place]) : []);
    const everything = Uint32Array.from({ length: table.rows }, (_, i) => i);
    let rows = everything, order = { column: null, down: false }, active = -1, opened = -1, first = -1, last = -1, height = 32;

    const textOf = (column, row) => column.names ? column.names[column.values[row]] : words.cell(column.format, column.values[row], sd ? sd[row] : 0);

    // ---- columns: as wide as their longest text in a sample, numbers with their points below each other
    const sample = sampleOf(table);
    for (const column of table.columns) {
      const texts = sample.map((row) => textOf(column, row)).filter((text) => !text.includes("e"));
      column.tail = column.names ? -1 : Math.min(MAX_ALIGNED, Math.max(-1, ...texts.map(tailOf)));
      const longest = Math.max(column.heading.length + 0.5, ...sample.map((row) => aligned(column, textOf(column, row)).length));
      column.width = Math.min(20, longest) + 1.6;
    }
    const widest = Math.max(8, ...sample.map((row) => table.labels[row].length));
    grid.style.setProperty("--label", `${Math.min(30, widest) + 4}ch`);
    grid.style.setProperty("--columns", table.columns.map((column) => `${column.width}ch`).join(" "));

    function aligned(column, text) {
      const missing = column.tail - tailOf(text);
      if (column.tail < 0 || missing <= 0 || text.includes("e")) return text;
      return text + (tailOf(text) < 0 ? POINT_SPACE + FIGURE_SPACE.repeat(column.tail) : FIGURE_SPACE.repeat(missing));
    }

    // ---- the head: a button a column
    const head = find(".grid-head > [role=row]");
    const headers = [null, ...table.columns].map((column) => {
      const cell = make("div", "columnheader");
      const button = make("button", null, column ? column.heading : table.texts.quantity);
      button.type = "button";
      button.addEventListener("click", () => sortBy(column));
      cell.append(button);
      head.append(cell);
      return { cell, column };
    });
    grid.setAttribute("aria-colcount", String(headers.length));

    function sortBy(column, direction) {
      const worstFirst = column ? column.worst === "high" : false;
      if (direction !== undefined) order = { column, down: direction, sorted: true };
      else if (!order.sorted || order.column !== column) order = { column, down: worstFirst, sorted: true };
      else if (order.down === worstFirst) order = { column, down: !worstFirst, sorted: true };
      else order = { column: null, down: false, sorted: false };
      for (const header of headers) {
        const mine = order.sorted && header.column === order.column;
        header.cell.setAttribute("aria-sort", mine ? (order.down ? "descending" : "ascending") : "none");
      }
      refresh();
    }

    // ---- filter and order
    const search = find("input[type=search]"), choice = find("select");
    if (table.variables.length > 1) {
      table.variables.forEach(({ name, rows: size }, i) => {
        const option = new Option(`${name.length > 40 ? `${name.slice(0, 39)}…` : name} (${words.count(size)})`, String(i));
        choice.append(option);
      });
      choice.closest("label").hidden = false;
    }
    search.addEventListener("input", refresh);
    choice.addEventListener("change", refresh);
    const worst = find(".worst");
    if (worst) worst.addEventListener("click", () => sortBy(table.columns.find((column) => column.name === "r_hat"), true));

    function refresh() {
      const asked = search.value.normalize("NFC").toLowerCase().split(/\s+/).filter(Boolean);
      const only = choice.value === "" ? -1 : Number(choice.value);
      const { folded, variable } = table;
      rows = everything.filter((row) => (only < 0 || variable[row] === only) && asked.every((word) => folded[row].includes(word)));
      if (order.sorted) rows = sorted(rows);
      const texts = table.texts;
      const template = rows.length === 0 ? texts.none : rows.length === table.rows ? texts.all : texts.shown;
      shown.textContent = words.fill(template, { shown: words.count(rows.length), total: words.count(table.rows) });
      grid.setAttribute("aria-rowcount", String(rows.length + 1));
      active = -1;
      grid.removeAttribute("aria-activedescendant");
      grid.scrollTop = 0;
      layOut();
    }

    // What is not a number comes last, whichever way.
    function sorted(some) {
      const sign = order.down ? -1 : 1;
      if (!order.column && table.byLabel) {
        const rank = ranks();
        return some.sort((a, b) => sign * (rank[a] - rank[b]));
      }
      if (!order.column) {
        const names = table.variables.map(({ name }) => name);
        const rank = new Map([...new Set(names)].sort((a, b) => a.localeCompare(b, undefined, { numeric: true })).map((name, i) => [name, i]));
        const place = names.map((name) => rank.get(name));
        return some.sort((a, b) => sign * (place[table.variable[a]] - place[table.variable[b]] || a - b));
      }
      const { values } = order.column;
      return some.sort((a, b) => {
        const x = values[a], y = values[b];
        if (x !== x || y !== y) return (x !== x) - (y !== y) || a - b;
        return sign * (x - y) || a - b;
      });
    }

    // Where each row's name stands among all, numbers in them by their size.
    function ranks() {
      if (!table.rank) {
        const { compare } = new Intl.Collator(undefined, { numeric: true });
        table.rank = new Uint32Array(table.rows);
        Array.from(everything).sort((a, b) => compare(table.labels[a], table.labels[b]) || a - b).forEach((row, i) => { table.rank[row] = i; });
      }
      return table.rank;
    }

    // ---- rows in view
    function layOut() {
      height = Math.round(parseFloat(getComputedStyle(document.documentElement).fontSize) * ROW);
      grid.style.setProperty("--row", `${height}px`);
      body.style.height = `${rows.length * height}px`;
      first = -1;
      draw();
    }

    function draw() {
      const from = Math.max(0, Math.floor(grid.scrollTop / height) - OVERSCAN);
      const to = Math.min(rows.length, Math.ceil((grid.scrollTop + grid.clientHeight) / height) + OVERSCAN);
      if (from === first && to === last) return;
      first = from;
      last = to;
      const made = [];
      for (let place = from; place < to; place++) made.push(rowAt(place));
      body.replaceChildren(...made);
    }

    function rowAt(place) {
      const row = rows[place];
      const element = make("div", "row");
      element.id = `${explorer.id}-${place}`;
      element.dataset.place = place;
      element.style.top = `${place * height}px`;
      element.setAttribute("aria-rowindex", String(place + 2));
      element.setAttribute("aria-selected", String(row === opened));
      element.classList.toggle("active", place === active);
      const name = make("div", "rowheader");
      const text = make("bdi", null, table.labels[row]);
      name.append(text);
      name.title = table.labels[row].slice(0, 1000);
      if (drawnAt.has(row)) name.classList.add("drawn");
      element.append(name);
      for (const column of table.columns) {
        const cell = make("div", "gridcell", aligned(column, textOf(column, row)));
        element.append(cell);
      }
      return element;
    }

    function go(place) {
      if (!rows.length) return;
      active = Math.min(rows.length - 1, Math.max(0, place));
      const top = active * height, view = grid.clientHeight - head.offsetHeight;
      if (top < grid.scrollTop) grid.scrollTop = top;
      else if (top + height > grid.scrollTop + view) grid.scrollTop = top + height - view;
      first = -1;
      draw();
      grid.setAttribute("aria-activedescendant", `${explorer.id}-${active}`);
    }

    grid.addEventListener("scroll", () => requestAnimationFrame(draw));
    grid.addEventListener("keydown", (event) => {
      if (event.target !== grid || event.ctrlKey || event.metaKey || event.altKey) return;
      const page = Math.max(1, Math.floor((grid.clientHeight - head.offsetHeight) / height) - 1);
      const top = Math.floor(grid.scrollTop / height);
      const here = active < 0 ? top - 1 : active;
      const moves = { ArrowDown: here + 1, ArrowUp: active < 0 ? top : here - 1, PageDown: here + page, PageUp: here - page, Home: 0, End: rows.length - 1 };
      if (event.key in moves) go(moves[event.key]);
      else if ((event.key === "Enter" || event.key === " ") && active >= 0) tell(rows[active]);
      else return;
      event.preventDefault();
    });
    body.addEventListener("click", (event) => {
      const element = event.target.closest("[role=row]");
      if (!element || String(getSelection())) return;
      go(Number(element.dataset.place));
      tell(rows[active]);
    });

    // ---- one quantity
    async function tell(row) {
      opened = row;
      first = -1;
      draw();
      await details(explorer, detail, table, row, drawnAt.get(row), textOf);
    }

    find(".save-table").addEventListener("click", () => {
      const lines = [[table.texts.first || "quantity", ...table.columns.map((column) => column.name)]];
      const held = ({ values, bits, exact, names }, row) => names ? names[values[row]] : (bits === 64 || exact.has(row) ? values[row] : files.single(values[row]));
      for (const row of rows) lines.push([table.labels[row], ...table.columns.map((column) => held(column, row))]);
      files.save(table.file || "quantities.csv", files.csv(lines), "text/csv;charset=utf-8");
    });

    new ResizeObserver(() => { if (grid.clientWidth) layOut(); }).observe(grid);
    explorer.hidden = false;
    refresh();
    document.documentElement.classList.add("explored");
  }

  const tailOf = (text) => (text.includes(".") ? text.length - text.indexOf(".") - 1 : -1);

  // Rows that are likely to have the longest texts: extremes of each column, and some from everywhere.
  function sampleOf(table) {
    const found = new Set();
    const step = Math.max(1, Math.floor(table.rows / 300));
    for (let row = 0; row < table.rows; row += step) found.add(row);
    for (const { values } of table.columns) {
      let low = -1, high = -1;
      for (let row = 0; row < table.rows; row++) {
        const value = values[row];
        if (low < 0 || value < values[low]) low = row;
        if (high < 0 || value > values[high]) high = row;
      }
      if (low >= 0) found.add(low).add(high);
    }
    return [...found];
  }

  async function details(explorer, detail, table, row, place, textOf) {
    for (const plot of detail.querySelectorAll(".plot")) figures.forget(plot);
    const label = table.labels[row], { unit, meaning } = table.variables[table.variable[row]];
    const title = make("h4");
    const name = make("bdi");
    name.append(make("code", null, label));
    title.append(name);
    const facts = make("dl");
    facts.className = "key-numbers";
    for (const column of table.columns) {
      const pair = make("div");
      pair.append(make("dt", null, column.heading), make("dd", null, textOf(column, row)));
      facts.append(pair);
    }
    const parts = [title];
    if (meaning || unit) parts.push(make("p", null, [meaning, unit && `(${unit})`].filter(Boolean).join(" ")));
    parts.push(facts);
    const still = table.columns.some((column) => column.name === "sd" && column.values[row] === 0);
    if (place === undefined) parts.push(make("p", null, still ? table.texts.constant : table.texts.elsewhere));
    const figure = place === undefined ? null : explorer.querySelector(".drawing").content.cloneNode(true);
    const content = detail.querySelector(".detail-content");
    content.replaceChildren(...parts, ...(figure ? [figure] : []));
    detail.hidden = false;
    if (place === undefined) return;
    const { drawn } = table;
    if (!drawn.decoded) drawn.decoded = packed.floats(drawn.values);
    const all = await drawn.decoded;
    const size = drawn.draws;
    const chains = Array.from({ length: drawn.chains }, (_, i) => all.subarray((place * drawn.chains + i) * size, (place * drawn.chains + i + 1) * size));
    const [density, trace] = content.querySelectorAll(".plot");
    const fill = (template) => words.fill(template, { label });
    density.setAttribute("aria-label", fill(table.texts.density));
    figures.show(density, { data: densities.of(chains, drawn), layout: structuredClone(drawn.density), behaviour: {} });
    if (!trace) return;
    trace.setAttribute("aria-label", fill(table.texts.trace));
    const x = Array.from({ length: size }, (_, i) => i * drawn.step);
    const lines = chains.map((y, i) => ({
      type: "scatter", mode: "lines", x, y, name: drawn.names[i], hoverinfo: "skip", opacity: 0.75,
      line: { color: drawn.colours[i], width: 0.8 },
    }));
    figures.show(trace, { data: lines, layout: structuredClone(drawn.trace), behaviour: {} });
  }

  const opening = [];
  for (const explorer of document.querySelectorAll(".explorer")) {
    const close = explorer.querySelector(".close");
    close.addEventListener("click", () => {
      for (const plot of explorer.querySelectorAll(".detail .plot")) figures.forget(plot);
      explorer.querySelector(".detail").hidden = true;
      explorer.querySelector(".grid").focus();
    });
    if (packed.supported) opening.push(open(explorer).then((table) => start(explorer, table)));
  }
  if (opening.length) Promise.all(opening).then(() => { document.documentElement.dataset.table = "ready"; });
})();
