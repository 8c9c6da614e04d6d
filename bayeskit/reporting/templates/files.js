"use strict";
// What the page keeps packed, and what it hands out as files.
const packed = (() => {
  const bytesOf = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

  async function unzip(text) {
    const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // The first bytes of all numbers stand together, then all second ones, and so on.
  async function floats(text, bits = 32) {
    const bytes = await unzip(text);
    const width = bits / 8, size = bytes.length / width;
    const ordered = new Uint8Array(bytes.length);
    for (let part = 0; part < width; part++) {
      for (let i = 0, from = part * size; i < size; i++) ordered[i * width + part] = bytes[from + i];
    }
    return bits === 32 ? new Float32Array(ordered.buffer) : new Float64Array(ordered.buffer);
  }

  const json = async (text) => JSON.parse(new TextDecoder().decode(await unzip(text)));

  // Numbers as Plotly has them: plain lists, or base64 of a typed array, of one or two dimensions.
  function plain(value) {
    if (!value || !value.bdata) return value;
    const kinds = { f4: Float32Array, f8: Float64Array, i4: Int32Array, u1: Uint8Array, u2: Uint16Array };
    const flat = new kinds[value.dtype](bytesOf(value.bdata).buffer);
    if (!value.shape) return flat;
    const [rows, columns] = value.shape.split(",").map(Number);
    return Array.from({ length: rows }, (_, i) => flat.subarray(i * columns, (i + 1) * columns));
  }

  return { floats, json, plain, supported: typeof DecompressionStream === "function" };
})();

const files = (() => {
  // As RFC 4180 has it. A text that a spreadsheet would take for a formula gets an apostrophe; numbers never do.
  function field(value) {
    if (typeof value === "number") return Number.isFinite(value) ? String(value) : "";
    if (value === null || value === undefined) return "";
    let text = String(value);
    if (/^[=+\-@\t\r]/.test(text)) text = `'${text}`;
    return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  }

  const csv = (rows) => rows.map((row) => row.map(field).join(",")).join("\r\n") + "\r\n";

  // Single numbers are kept in 32 bits: seven digits are theirs, the rest would be noise.
  const single = (value) => Number(value.toPrecision(7));

  function save(name, content, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  return { csv, save, single };
})();
