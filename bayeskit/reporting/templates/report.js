"use strict";
const figures = (() => {
  const CONFIG = { displayModeBar: false, responsive: false, scrollZoom: false, showTips: false, locale: document.documentElement.lang };
  // Plotly.js has English months only; elsewhere dates on axes are written as everywhere in the page.
  if (CONFIG.locale !== "en") {
    const format = { month: "%Y-%m", dayMonth: "%m-%d", dayMonthYear: "%Y-%m-%d", date: "%Y-%m-%d" };
    Plotly.register({ moduleType: "locale", name: CONFIG.locale, dictionary: {}, format });
  }
  const plots = [...document.querySelectorAll(".plot")];
  const specs = new Map();
  let printing = false;
  let folded = [];

  const styleValue = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Colours stand in the figures by their meaning, var(--fit); the style sheet says what they are.
  function resolve(value, look = styleValue) {
    const inner = (item) => resolve(item, look);
    if (typeof value === "string") {
      const match = /^var\((--[\w-]+)\)$/.exec(value);
      if (match) return look(match[1]);
      const through = /^var\((--[\w-]+)\) \/ ([\d.]+)$/.exec(value);
      return through ? faded(look(through[1]), through[2]) : value;
    }
    const holds = (item) => typeof item === "object" || String(item).startsWith("var(");
    if (Array.isArray(value)) return holds(value[0]) || holds(value.at(-1)) ? value.map(inner) : value;
    if (value && typeof value === "object" && !("bdata" in value) && !ArrayBuffer.isView(value)) {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inner(item)]));
    }
    return value;
  }

  // A colour to be seen through has its share behind it: var(--fit) / 0.4.
  const faded = (colour, share) => `rgba(${[1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)).join()},${share})`;

  function specOf(plot) {
    let spec = specs.get(plot);
    if (!spec) {
      spec = JSON.parse(plot.nextElementSibling.textContent);
      specs.set(plot, spec);
      if (spec.behaviour.series) spec.series = seriesOf(spec);
      if (spec.behaviour.names) nameFields(spec);
    }
    return spec;
  }

  // What each field of a matrix is of, by the names of its row and its column: the page holds these alone.
  function nameFields({ behaviour, data }) {
    const { x, y, between } = behaviour.names;
    for (const trace of data) if (trace.z) trace.text = y.map((row) => x.map((column) => row + between + column));
  }

  function draw(plot) {
    if (!plot.clientWidth) return;
    const spec = specOf(plot);
    const { square, matrix, space, ratio } = spec.behaviour;
    if (square) plot.style.maxWidth = `${Number(plot.dataset.height) + 40}px`;
    if (square || matrix || space) plot.style.height = `${heightOf(plot)}px`;
    if (ratio) plot.style.height = `${pictureHeight(plot, spec.behaviour)}px`;
    const layout = sized(spec, plot.clientWidth, plot.clientHeight, styleValue);
    Plotly.react(plot, resolve(spec.data), layout, CONFIG);
    if (spec.series && !spec.followed) plot.on("plotly_relayout", (event) => follow(plot, spec, event));
    spec.followed = true;
  }

  function sized(spec, width, height, look) {
    const layout = { ...resolve(spec.layout, look), width, height, autosize: false };
    fitTo(layout);
    if (spec.behaviour.texts && (width - 70) / spec.behaviour.texts < 34) layout.annotations = [];
    if (spec.view) place(spec, layout, spec.view);
    else if (spec.series) place(spec, layout, spec.layout.xaxis.range);
    return layout;
  }

  // What is square stays so where the page is narrow.
  const heightOf = (plot) => Math.min(Number(plot.dataset.height), Math.round(plot.clientWidth * 1.08) + 24);

  // Pictures keep their shape: as high as their width asks for, and what stands beside them.
  const pictureHeight = (plot, { ratio, beside, below }) =>
    Math.min(Number(plot.dataset.height), Math.round((plot.clientWidth - beside) * ratio) + below);

  // On narrow panels: fewer ticks, and axis titles only where there is room for them.
  function fitTo(layout) {
    const { xaxis, yaxis, width } = layout;
    if (layout.scene) return standBack(layout);
    if (!xaxis) return;
    if (xaxis.domain) return fitCells(layout);
    xaxis.nticks = Math.max(2, Math.floor(width / (xaxis.type === "date" ? 110 : 55)));
    if (width > 220) return;
    layout.margin.l = 34;
    layout.margin.r = 4;
    yaxis.title.text = "";
    yaxis.nticks = 3;
    for (const axis of [xaxis, yaxis]) {
      axis.tickfont.size = 10;
      axis.title.font.size = 11;
    }
  }

  // Where space is higher than wide, what is in it would be cut at the sides.
  function standBack({ scene, width, height }) {
    const farther = Math.min(1.8, Math.max(1, height / width));
    const { x, y, z } = scene.camera.eye;
    scene.camera = { ...scene.camera, eye: { x: x * farther, y: y * farther, z: z * farther } };
  }

  // A matrix of plots: each has a share of the width.
  function fitCells(layout) {
    for (const [name, axis] of Object.entries(layout)) {
      if (!/^[xy]axis\d*$/.test(name) || !axis.domain) continue;
      const room = (axis.domain[1] - axis.domain[0]) * (name[0] === "x" ? layout.width : layout.height);
      axis.nticks = Math.max(2, Math.floor(room / 45));
      if (room > 110) continue;
      axis.tickfont.size = 9;
      axis.title.font.size = 10;
      if (room < 75) { axis.tickangle = name[0] === "x" ? 90 : 0; axis.title.standoff = 2; }
    }
    if (layout.width < 420) layout.margin = { ...layout.margin, l: 46, r: 4 };
  }

  // A series over days: after a zoom the y axis fits what is in view, and the bands' labels stand at its right end.
  function seriesOf(spec) {
    const trace = (name) => spec.data.find((item) => item.name === name);
    const mean = trace("mean");
    const observed = trace("observed");
    return {
      time: mean.x.map(Date.parse),
      dates: mean.x,
      mean: packed.plain(mean.y),
      low: packed.plain(trace("low95").y),
      high: packed.plain(trace("high95").y),
      observedTime: observed ? observed.x.map(Date.parse) : [],
      observed: observed ? packed.plain(observed.y) : [],
    };
  }

  function place(spec, layout, view) {
    const series = spec.series;
    const [start, end] = view.map((moment) => Date.parse(String(moment).replace(" ", "T")));
    let low = Infinity, high = -Infinity, last = -1;
    series.time.forEach((time, i) => {
      if (time < start - 1 || time > end + 1) return;
      low = Math.min(low, series.low[i]);
      high = Math.max(high, series.high[i]);
      last = i;
    });
    series.observedTime.forEach((time, i) => {
      if (time < start || time > end || !Number.isFinite(series.observed[i])) return;
      low = Math.min(low, series.observed[i]);
      high = Math.max(high, series.observed[i]);
    });
    if (last < 0) return;
    const margin = 0.06 * (high - low || 1);
    layout.xaxis.range = view;
    layout.xaxis.autorange = false;
    layout.yaxis.range = [low - margin, high + margin];
    layout.yaxis.autorange = false;
    for (const note of layout.annotations) {
      note.x = series.dates[last];
      note.y = note.name === "mean" ? series.mean[last] : series.high[last];
    }
  }

  function follow(plot, spec, event) {
    const range = event["xaxis.range"] || (event["xaxis.range[0]"] !== undefined && [event["xaxis.range[0]"], event["xaxis.range[1]"]]);
    const view = range || (event["xaxis.autorange"] && spec.layout.xaxis.range);
    if (!view || String(view) === String(spec.view)) return;
    turnTo(plot, spec, view);
  }

  function turnTo(plot, spec, view) {
    spec.view = view;
    const layout = { xaxis: {}, yaxis: {}, annotations: structuredClone(plot.layout.annotations) };
    place(spec, layout, view);
    Plotly.relayout(plot, { "xaxis.range": layout.xaxis.range, "yaxis.range": layout.yaxis.range, annotations: layout.annotations });
  }

  for (const group of document.querySelectorAll(".zooms")) {
    group.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      const plot = group.parentElement.querySelector(".plot");
      const spec = specs.get(plot);
      if (!button || !spec) return;
      const { time } = spec.series;
      const end = time[time.length - 1];
      const days = Number(button.dataset.days);
      const start = days ? Math.max(time[0], end - (days - 1) * 864e5) : time[0];
      for (const other of group.children) other.setAttribute("aria-pressed", String(other === button));
      turnTo(plot, spec, [new Date(start), new Date(end)].map((moment) => moment.toISOString().slice(0, 19)));
    });
  }

  // What is in view comes first; the rest follows while the browser is idle, so that the page never stalls.
  const queue = [...plots];
  const drawn = (plot) => Boolean(plot.layout);
  function next() {
    const plot = queue.shift();
    if (!plot) { document.documentElement.dataset.figures = "ready"; return; }
    if (!drawn(plot)) draw(plot);
    (window.requestIdleCallback || window.setTimeout)(next);
  }
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting && !drawn(entry.target)) draw(entry.target);
  }, { rootMargin: "300px" });
  plots.forEach((plot) => watcher.observe(plot));
  window.setTimeout(next, 50);

  const redraw = () => { for (const plot of specs.keys()) draw(plot); };
  let pending = 0;
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(redraw);
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  window.matchMedia("print").addEventListener("change", redraw);
  window.addEventListener("beforeprint", () => {
    if (printing) return;
    printing = true;
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const part of folded) part.open = true;
    plots.forEach(draw);
  });
  window.addEventListener("afterprint", () => {
    printing = false;
    for (const part of folded) part.open = false;
    redraw();
  });

  // Figures that another script makes: drawn anew like the others when the width or the colours change.
  function show(plot, spec) {
    specs.set(plot, spec);
    draw(plot);
  }

  function forget(plot) {
    specs.delete(plot);
    Plotly.purge(plot);
  }

  return { forget, resolve, show, sized, specOf };
})();
