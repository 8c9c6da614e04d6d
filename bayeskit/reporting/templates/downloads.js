"use strict";
// Each figure as SVG, PNG and CSV: drawn anew on white, all its panels in one picture; nothing leaves the page.
(() => {
  const SINGLE = 900, PANEL = 330, GAP = 22, MARGIN = 24, COLUMNS = 3, SCALE = 2;
  const SVG = "http://www.w3.org/2000/svg";

  // The style sheet's first rule has the light colours, whatever the reader's setting.
  const light = [...document.styleSheets[0].cssRules].find((rule) => rule.selectorText === ":root").style;
  const look = (name) => light.getPropertyValue(name).trim();

  const element = (name, attributes, text) => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const panelsOf = (figure) => [...figure.querySelectorAll(".panel")].map((panel) => {
    const plot = panel.querySelector(".plot"), label = panel.querySelector(".panel-label");
    return { spec: figures.specOf(plot), height: parseFloat(plot.dataset.height), label: label ? label.textContent : "" };
  });

  function penOf(font) {
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = font;
    return pen;
  }

  // Breaks a text into lines that fit; what has no spaces breaks anywhere.
  function lines(text, width, font) {
    const pen = penOf(font);
    const made = [""];
    for (const word of text.trim().slice(0, 600).split(/\s+/)) {
      for (const piece of pen.measureText(word).width > width ? word.match(/.{1,12}/gu) : [word]) {
        const last = made[made.length - 1], joined = last && piece !== word ? last + piece : `${last} ${piece}`.trim();
        if (pen.measureText(joined).width <= width || !last) made[made.length - 1] = joined;
        else made.push(piece);
      }
    }
    return made;
  }

  async function picture(figure) {
    const panels = panelsOf(figure), columns = Math.min(COLUMNS, panels.length);
    const inner = panels.length === 1 ? SINGLE : columns * PANEL + (columns - 1) * GAP;
    const family = look("--font");
    const root = element("svg", { xmlns: SVG, "font-family": family, fill: look("--ink") });
    let y = MARGIN;
    const write = (text, size, x, width, weight = 400, colour = look("--ink")) => {
      for (const line of lines(text, width, `${weight} ${size}px ${family}`)) {
        y += size * 1.25;
        root.append(element("text", { x, y, "font-size": size, "font-weight": weight, fill: colour }, line));
      }
    };
    write(figure.querySelector("h3").textContent, 17, MARGIN, inner, 650);
    y = key(figure, root, y + 8, inner);
    for (let i = 0; i < panels.length; i += columns) {
      const row = panels.slice(i, i + columns), top = y + 10;
      let bottom = top;
      for (const [j, panel] of row.entries()) {
        const width = panels.length === 1 ? SINGLE : PANEL, x = MARGIN + j * (PANEL + GAP);
        y = top;
        if (panel.label) write(panel.label, 13, x, width, 600);
        const drawing = await drawn(panel, width);
        for (const [name, value] of Object.entries({ x, y: y + 4, width, height: panel.height })) drawing.setAttribute(name, value);
        root.append(drawing);
        bottom = Math.max(bottom, y + 4 + panel.height);
      }
      y = bottom;
    }
    const size = { width: inner + 2 * MARGIN, height: Math.ceil(y + MARGIN) };
    for (const [name, value] of Object.entries({ ...size, viewBox: `0 0 ${size.width} ${size.height}` })) root.setAttribute(name, value);
    root.prepend(element("rect", { ...size, fill: look("--paper") }));
    return { text: new XMLSerializer().serializeToString(root), ...size };
  }

  function key(figure, root, top, width) {
    let x = MARGIN, y = top;
    const pen = penOf(`13px ${look("--font")}`);
    for (const item of figure.querySelectorAll(".key li")) {
      const swatch = /var\((--[\w-]+)\)/.exec(item.querySelector(".swatch").getAttribute("style"));
      const text = item.textContent.trim(), room = 38 + pen.measureText(text).width;
      if (x + room > MARGIN + width && x > MARGIN) { x = MARGIN; y += 20; }
      root.append(element("rect", { x, y: y + 3, width: 14, height: 10, fill: look(swatch[1]) }));
      root.append(element("text", { x: x + 20, y: y + 13, "font-size": 13, fill: look("--muted") }, text));
      x += room;
    }
    return figure.querySelector(".key li") ? y + 22 : y;
  }

  async function drawn(panel, width) {
    const layout = figures.sized(panel.spec, width, panel.height, look);
    if (layout.xaxis?.rangeslider) layout.xaxis.rangeslider.visible = false;
    layout.paper_bgcolor = layout.plot_bgcolor = look("--paper");
    const data = figures.resolve(panel.spec.data, look);
    const text = await Plotly.toImage({ data, layout }, { format: "svg", width, height: panel.height, imageDataOnly: true });
    return document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);
  }

  async function png({ text, width, height }) {
    const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = width * SCALE;
    canvas.height = height * SCALE;
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    URL.revokeObjectURL(url);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  const value = (item) => (typeof item === "number" ? files.single(item) : item);
  const undone = (text) => new DOMParser().parseFromString(String(text), "text/html").documentElement.textContent;

  // A series without a name is called by what its colour means; a band has two ends.
  function nameOf(trace, place, meanings) {
    if (trace.name) return undone(trace.name);
    const { line = {}, marker = {} } = trace;
    const colour = /^var\(--([\w-]+)\)$/.exec(line.width === 0 ? trace.fillcolor || line.color : line.color || marker.color);
    const meaning = (colour && meanings[colour[1]]) || "";
    const end = line.width !== 0 || trace.fill === "tozeroy" ? "" : trace.fill ? "upper" : "lower";
    return [place + 1, meaning, end].filter(Boolean).join(" ");
  }

  // The numbers as they are drawn: a row a point; a grid's rows have its y.
  function table(figure) {
    const rows = [];
    const panels = panelsOf(figure), meanings = JSON.parse(figure.querySelector(".saves").dataset.meanings);
    const named = panels.length > 1, deep = panels.some(({ spec }) => spec.data.some((trace) => trace.z));
    const inSpace = (trace) => trace.type === "scatter3d";
    panels.forEach(({ spec, label }, place) => {
      spec.data.forEach((trace, i) => {
        const name = nameOf(trace, i, meanings), lead = named ? [label || String(place + 1), name] : [name];
        const [x, y, z] = [trace.x, trace.y, trace.z].map(packed.plain);
        const at = (list, place) => (list ? value(list[place]) : place);
        if (inSpace(trace)) for (let j = 0; j < z.length; j++) rows.push([...lead, value(x[j]), value(y[j]), value(z[j])]);
        else if (z) z.forEach((line, j) => line.forEach((cell, k) => rows.push([...lead, at(x, k), at(y, j), value(cell)])));
        else if (x || y) for (let j = 0; j < (y || x).length; j++) rows.push([...lead, at(x, j), y ? value(y[j]) : ""]);
      });
    });
    return [[...(named ? ["panel"] : []), "series", "x", "y", ...(deep ? ["z"] : [])], ...rows];
  }

  async function save(figure, kind) {
    const name = `${figure.id.replace(/^fig-/, "") || "figure"}.${kind}`;
    if (kind === "csv") return files.save(name, files.csv(table(figure)), "text/csv;charset=utf-8");
    const made = await picture(figure);
    return files.save(name, kind === "svg" ? new Blob([made.text], { type: "image/svg+xml" }) : await png(made));
  }

  for (const group of document.querySelectorAll(".saves")) {
    group.hidden = false;
    group.addEventListener("click", async (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      button.disabled = true;
      await save(group.closest("figure"), button.dataset.kind).finally(() => { button.disabled = false; });
      button.focus();
    });
  }
})();
