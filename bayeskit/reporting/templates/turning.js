"use strict";
// Figures in space: buttons do what dragging does, a step at a time.
(() => {
  const STEP = Math.PI / 12, STEEPEST = 1.45;

  function turned({ x, y, z }, how) {
    const reach = Math.hypot(x, y, z);
    let around = Math.atan2(y, x), up = Math.asin(z / reach);
    if (how === "left") around -= STEP;
    if (how === "right") around += STEP;
    if (how === "up") up = Math.min(STEEPEST, up + STEP);
    if (how === "down") up = Math.max(-STEEPEST, up - STEP);
    return { x: reach * Math.cos(up) * Math.cos(around), y: reach * Math.cos(up) * Math.sin(around), z: reach * Math.sin(up) };
  }

  for (const group of document.querySelectorAll(".turns")) {
    const plot = group.closest("figure").querySelector(".plot");
    group.hidden = false;
    group.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button || !plot.layout) return;
      const spec = figures.specOf(plot), start = spec.layout.scene.camera.eye;
      const { camera } = plot.layout.scene;
      const eye = button.dataset.turn === "reset" ? start : turned(camera.eye || start, button.dataset.turn);
      Plotly.relayout(plot, { "scene.camera.eye": eye });
    });
  }
})();
