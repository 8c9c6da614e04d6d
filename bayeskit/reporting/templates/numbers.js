"use strict";
// Numbers as bayeskit.core.words and reporting.tables write them: digits by their uncertainty, true minus signs.
const words = (() => {
  const MINUS = "\u2212";
  const LEGIBLE = 7;

  // Python rounds a number's exact value half to even, JavaScript half up: they part at exact ties only.
  function halfEven(short, long, from) {
    const tail = long.slice(from);
    if (!/^50*$/.test(tail)) return short;
    const down = long.slice(0, from).replace(/\.$/, "");
    return "02468".includes(down[down.length - 1]) ? down : short;
  }

  function fixed(size, decimals) {
    const long = size.toFixed(Math.min(100, decimals + 30));
    return halfEven(size.toFixed(decimals), long, long.indexOf(".") + 1 + decimals);
  }

  function exponential(value, digits) {
    const size = Math.abs(value);
    const [short, exponent] = size.toExponential(digits).split("e");
    const [long, same] = size.toExponential(Math.min(100, digits + 30)).split("e");
    const lead = exponent === same ? halfEven(short, long, digits ? 2 + digits : 2) : short;
    const power = Math.abs(Number(exponent));
    return `${value < 0 ? MINUS : ""}${lead}e${exponent[0] === "-" ? MINUS : "+"}${power < 10 ? "0" : ""}${power}`;
  }

  const exponentOf = (size) => Number(size.toExponential().split("e")[1]);

  function decimalsFor(uncertainty) {
    if (!Number.isFinite(uncertainty) || uncertainty <= 0) return 3;
    const exponent = exponentOf(uncertainty);
    const lead = uncertainty / Number(`1e${exponent}`);
    return Math.max(0, -exponent + (lead < 3.55 ? 1 : 0));
  }

  function number(value, decimals) {
    if (!Number.isFinite(value)) return Number.isNaN(value) ? "–" : value > 0 ? "∞" : `${MINUS}∞`;
    const text = fixed(Math.abs(value), decimals);
    const [whole, rest] = text.split(".");
    const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",") + (rest ? `.${rest}` : "");
    return value < 0 && Number(text) !== 0 ? MINUS + grouped : grouped;
  }

  function significant(value, digits) {
    if (!Number.isFinite(value) || value === 0) return number(value, 0);
    const exponent = exponentOf(Math.abs(value));
    if (exponent < -5 || exponent >= 9) return exponential(value, digits - 1);
    return number(value, Math.max(0, digits - 1 - exponent));
  }

  const legible = (value, sd) => Math.abs(value) < 10 ** LEGIBLE && (!(sd > 0) || decimalsFor(sd) < LEGIBLE);

  function withExponent(value, sd) {
    if (value === 0 || !Number.isFinite(value) || !(sd > 0 && sd < Infinity)) return significant(value, 3);
    const digits = Math.min(12, Math.max(1, exponentOf(Math.abs(value)) - exponentOf(sd) + 2));
    return exponential(value, digits - 1);
  }

  // A cell of the table of all quantities: parameter_table.cell_text.
  function cell(format, value, sd) {
    if (Number.isNaN(value)) return "–";
    if (format === "count") return number(value, 0);
    if (format === "ratio") return number(value, 3);
    if (format !== "sd") return significant(value, format === "error" ? 2 : 5);
    if (!(sd > 0)) return significant(value, 4);
    return legible(value, sd) ? number(value, decimalsFor(sd)) : withExponent(value, sd);
  }

  const fill = (template, values) => template.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
  const count = (value) => number(value, 0);

  return { cell, count, decimalsFor, fill, number, significant };
})();
