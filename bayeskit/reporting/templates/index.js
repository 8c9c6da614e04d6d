"use strict";
// Search and order of the index; without it the page is the same list, newest first.
(() => {
  const list = document.querySelector(".runs");
  const tools = document.querySelector(".tools");
  if (!list || !tools) return;
  const runs = [...list.querySelectorAll(".run")].map((element, place) => {
    const { name, started, outcome, rhat, ess, wall } = element.dataset;
    return { element, place, name, started, outcome, rhat, ess, wall, text: element.textContent.normalize("NFC").toLowerCase() };
  });
  const search = tools.querySelector("input"), [order, state] = tools.querySelectorAll("select");
  const shown = document.querySelector(".shown");
  const RANK = { failed: 0, damaged: 1, unchecked: 2, doubtful: 3, passed: 4 };
  const collator = new Intl.Collator(undefined, { numeric: true });
  // What a run has no number for comes last.
  const by = (key, sign) => (a, b) => (a[key] === "") - (b[key] === "") || sign * (Number(a[key]) - Number(b[key]));
  const orders = {
    newest: (a, b) => (a.started < b.started) - (a.started > b.started),
    oldest: (a, b) => (a.started === "") - (b.started === "") || (a.started > b.started) - (a.started < b.started),
    name: (a, b) => collator.compare(a.name, b.name),
    verdict: (a, b) => RANK[a.outcome] - RANK[b.outcome],
    rhat: by("rhat", -1),
    ess: by("ess", 1),
    wall: by("wall", -1),
  };

  function refresh() {
    const asked = search.value.normalize("NFC").toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const run of runs) {
      const fits = (!state.value || run.outcome === state.value) && asked.every((word) => run.text.includes(word));
      run.element.hidden = !fits;
      left += fits;
    }
    const count = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ",");
    const template = left ? shown.dataset.shown : shown.dataset.none;
    shown.textContent = template.replace("{shown}", count(left)).replace("{total}", count(runs.length));
  }

  order.addEventListener("change", () => {
    const compare = orders[order.value];
    list.append(...runs.slice().sort((a, b) => compare(a, b) || a.place - b.place).map((run) => run.element));
  });
  search.addEventListener("input", refresh);
  state.addEventListener("change", refresh);
  tools.hidden = false;
  refresh();
})();
