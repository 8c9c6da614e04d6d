"use strict";
// Small densities from draws: a Gaussian kernel of Silverman's width, mirrored at an end where the draws pile up.
const densities = (() => {
  const GRID = 160, MAX_BARS = 30, MIN_SMOOTHED = 50, TAIL = 4, PILED = 0.03;

  const quantile = (sorted, p) => sorted[Math.round(p * (sorted.length - 1))];

  function widthOf(sorted) {
    const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
    const sd = Math.sqrt(sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (sorted.length - 1));
    const spread = (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 1.34;
    return 0.9 * (Math.min(sd, spread) || sd) * sorted.length ** -0.2;
  }

  // Where to draw a curve, and at which ends to mirror: a scale that piles up at 0 does not leak below it.
  function rangeOf(all) {
    const [q25, q75] = [quantile(all, 0.25), quantile(all, 0.75)];
    const width = widthOf(all), least = all[0], most = all[all.length - 1];
    const reach = TAIL * (q75 - q25) || most - least;
    const share = (inside) => all.filter(inside).length / all.length;
    const mirrors = [
      ...(share((value) => value < least + width) > PILED ? [least] : []),
      ...(share((value) => value > most - width) > PILED ? [most] : []),
    ];
    return {
      low: mirrors.includes(least) ? least : Math.max(least - 3 * width, q25 - reach),
      high: mirrors.includes(most) ? most : Math.min(most + 3 * width, q75 + reach),
      mirrors,
    };
  }

  function smooth(values, { low, high, mirrors }) {
    const sorted = Float64Array.from(values).sort();
    const width = widthOf(sorted) || (high - low) / GRID;
    const x = Array.from({ length: GRID }, (_, i) => low + ((high - low) * i) / (GRID - 1));
    const kernel = (distance) => Math.exp(-0.5 * (distance / width) ** 2);
    const y = x.map((at) => {
      let sum = 0;
      for (const value of sorted) {
        sum += kernel(at - value);
        for (const end of mirrors) sum += kernel(at - 2 * end + value);
      }
      return sum / (sorted.length * width * Math.sqrt(2 * Math.PI));
    });
    return { x, y };
  }

  function of(chains, drawn) {
    const all = Float64Array.from(chains.flatMap((chain) => [...chain])).sort();
    const distinct = [...new Set(all)];
    if (distinct.length <= MAX_BARS && distinct.every(Number.isInteger)) return [bars(all, distinct)];
    const range = rangeOf(all);
    const apart = drawn.traced && drawn.chains > 1 && drawn.draws >= MIN_SMOOTHED;
    return (apart ? chains : [all]).map((values, i) => ({
      type: "scatter", mode: "lines", ...smooth(values, range), hoverinfo: "skip", name: apart ? drawn.names[i] : "",
      line: { color: apart ? drawn.colours[i] : "var(--fit)", width: 1.6 },
    }));
  }

  function bars(all, distinct) {
    const shares = distinct.map((value) => all.filter((other) => other === value).length / all.length);
    return { type: "bar", x: distinct, y: shares, marker: { color: "var(--fit)" }, hovertemplate: "%{x}: %{y:.1%}<extra></extra>" };
  }

  return { of };
})();
