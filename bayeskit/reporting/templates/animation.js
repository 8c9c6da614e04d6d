"use strict";
// Frames, of a figure or of one of its panels: a slider turns to one, and a figure's button plays them; what a frame
// changes stands in the panel's behaviour.
(() => {
  const PACE = 220, REST = 900; // milliseconds a frame, and before it starts anew

  for (const player of document.querySelectorAll(".player")) {
    const plot = (player.closest(".panel") || player.closest("figure")).querySelector(".plot");
    const [button, slider, output] = ["button", "input", "output"].map((name) => player.querySelector(name));
    const play = button?.textContent;
    let timer = 0;

    function turnTo(place) {
      const spec = figures.specOf(plot);
      const { traces, frames, labels } = spec.behaviour.animation;
      traces.forEach((at, i) => {
        const trace = spec.data[at], { marker, ...change } = frames[place][i];
        spec.data[at] = { ...trace, ...change, ...(marker && { marker: { ...trace.marker, ...marker } }) };
      });
      slider.value = place;
      slider.setAttribute("aria-valuetext", labels[place]);
      output.textContent = labels[place];
      figures.show(plot, spec);
    }

    function stop() {
      clearTimeout(timer);
      timer = 0;
      if (button) button.textContent = play;
    }

    function step() {
      const place = Number(slider.value), last = Number(slider.max);
      if (place >= last) return stop();
      turnTo(place + 1);
      timer = setTimeout(step, PACE);
    }

    button?.addEventListener("click", () => {
      if (timer) return stop();
      const again = Number(slider.value) >= Number(slider.max);
      if (again) turnTo(0);
      button.textContent = button.dataset.pause;
      timer = setTimeout(step, again ? REST : PACE);
    });
    slider.addEventListener("input", () => {
      stop();
      turnTo(Number(slider.value));
    });
    player.hidden = false;
  }
})();
