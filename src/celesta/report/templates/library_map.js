"use strict";
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const count = data.files.length;
const xy = new Uint16Array(bytes(data.xy).buffer);
const seconds = new Uint16Array(bytes(data.seconds).buffer);
const tempo = bytes(data.tempo);
const folder = new Uint32Array(bytes(data.folder).buffer);
const artist = new Uint32Array(bytes(data.artist).buffer);
const codes = Object.fromEntries(Object.entries(data.classes).map(([key, one]) => [key, bytes(one.codes)]));
const PALETTE = ["#3b7dd8", "#e07b1a", "#2f9e57", "#d64550", "#8a5fc7", "#b0891b", "#1a9aa8", "#d15aa3", "#8a6a4f", "#6f9a1f", "#5661b3"];
const OTHER = "#8b95a1", SLOW = [53, 92, 196], MIDDLE = [176, 84, 148], FAST = [240, 140, 40];
const LISTED = 200, DIM = 22;

const decoded = (text) => { try { return decodeURIComponent(text); } catch { return text; } };
const title = (i) => data.titles[i] || decoded(data.files[i]).replace(/\.[^.]+$/, "");
const named = (i) => (data.artists[artist[i]] ? data.artists[artist[i]] + " – " : "") + title(i);
const uri = (i) => data.folders[folder[i]] + data.files[i];
const clock = (s) => Math.floor(s / 60) + ":" + String(s % 60).padStart(2, "0");
const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

// View: pixel = position * scale + offset, positions from 0 to 65535.
const canvas = $("points"), marks = $("marks"), pen = marks.getContext("2d");
const view = { scale: 1, x: 0, y: 0, least: 1 };
let width = 1, height = 1, ratio = 1, drawn = false;
const colours = new Uint8Array(4 * count);
const matching = new Uint8Array(count).fill(1);
let by = $("by").value, only = new Set(), chosen = -1, under = -1, selected = [], polygon = null, labels = [];

function painter() {
  const gl = canvas.getContext("webgl", { antialias: false, alpha: true, premultipliedAlpha: true });
  if (!gl) return plain(canvas.getContext("2d"));
  const program = gl.createProgram();
  for (const [kind, text] of [
    [gl.VERTEX_SHADER, `attribute vec2 p; attribute vec4 c; uniform vec3 view; uniform vec2 size; uniform mediump float spot; varying vec4 v;
      void main() { vec2 at = (p * view.x + view.yz) / size * 2.0 - 1.0; gl_Position = vec4(at.x, -at.y, 0.0, 1.0); gl_PointSize = c.a < 0.5 ? spot * 0.7 : spot; v = c; }`],
    [gl.FRAGMENT_SHADER, `precision mediump float; varying vec4 v; uniform mediump float spot;
      void main() { float d = length(gl_PointCoord - 0.5); float a = v.a * clamp((0.5 - d) * spot, 0.0, 1.0); gl_FragColor = vec4(v.rgb * a, a); }`],
  ]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text); gl.compileShader(shader); gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
  gl.useProgram(program);
  gl.enable(gl.BLEND); gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  const place = (name, array, size, type, normal, use) => {
    const buffer = gl.createBuffer(), at = gl.getAttribLocation(program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer); gl.bufferData(gl.ARRAY_BUFFER, array, use);
    gl.enableVertexAttribArray(at); gl.vertexAttribPointer(at, size, type, normal, 0, 0);
    return buffer;
  };
  place("p", xy, 2, gl.UNSIGNED_SHORT, false, gl.STATIC_DRAW);
  const buffer = place("c", colours, 4, gl.UNSIGNED_BYTE, true, gl.DYNAMIC_DRAW);
  const at = (name) => gl.getUniformLocation(program, name);
  const [eye, size, spot] = [at("view"), at("size"), at("spot")];
  return {
    recolour() { gl.bindBuffer(gl.ARRAY_BUFFER, buffer); gl.bufferSubData(gl.ARRAY_BUFFER, 0, colours); },
    draw() {
      gl.viewport(0, 0, canvas.width, canvas.height);
      gl.clearColor(0, 0, 0, 0); gl.clear(gl.COLOR_BUFFER_BIT);
      gl.uniform3f(eye, view.scale, view.x, view.y); gl.uniform2f(size, width, height); gl.uniform1f(spot, radius() * 2 * ratio);
      gl.drawArrays(gl.POINTS, 0, count);
    },
  };
}

function plain(context) {
  return {
    recolour() {},
    draw() {
      context.setTransform(ratio, 0, 0, ratio, 0, 0); context.clearRect(0, 0, width, height);
      const r = radius();
      for (let i = 0; i < count; i++) {
        const x = xy[2 * i] * view.scale + view.x, y = xy[2 * i + 1] * view.scale + view.y;
        if (x < -r || y < -r || x > width + r || y > height + r) continue;
        context.fillStyle = `rgb(${colours[4 * i]} ${colours[4 * i + 1]} ${colours[4 * i + 2]} / ${colours[4 * i + 3] / 255})`;
        context.fillRect(x - r, y - r, 2 * r, 2 * r);
      }
    },
  };
}

function radius() {
  const begin = count > 20000 ? 1.3 : count > 3000 ? 2.2 : count > 300 ? 3.4 : 5;
  const large = Math.min(2, Math.max(1, Math.min(width, height) / 900)); // a large window shows large points
  return Math.min(9, begin * Math.sqrt(view.scale / view.least) ** 0.9) * large;
}

function draw() {
  if (drawn) return;
  drawn = true;
  requestAnimationFrame(() => {
    drawn = false;
    paint.draw();
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--ink"), back = style.getPropertyValue("--back"), accent = style.getPropertyValue("--accent");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0); pen.clearRect(0, 0, width, height);
    const ring = (i, colour, r) => { const [x, y] = pixel(i); pen.beginPath(); pen.arc(x, y, r, 0, 7); pen.lineWidth = 3; pen.strokeStyle = colour; pen.stroke(); };
    pen.fillStyle = accent;
    for (const i of selected.slice(0, 3000)) { const [x, y] = pixel(i); pen.beginPath(); pen.arc(x, y, 2, 0, 7); pen.fill(); }
    pen.font = "600 12.5px system-ui, sans-serif"; pen.textAlign = "center"; pen.lineJoin = "round";
    const taken = [];
    for (const [text, px, py] of labels) {
      const x = px * view.scale + view.x, y = py * view.scale + view.y, half = pen.measureText(text).width / 2 + 4;
      if (taken.some(([ox, oy, other]) => Math.abs(ox - x) < half + other && Math.abs(oy - y) < 17)) continue;
      taken.push([x, y, half]);
      pen.lineWidth = 4; pen.strokeStyle = back; pen.fillStyle = ink; pen.strokeText(text, x, y); pen.fillText(text, x, y);
    }
    if (under >= 0) ring(under, ink, radius() + 3);
    if (chosen >= 0) ring(chosen, accent, radius() + 4);
    if (polygon) { pen.beginPath(); polygon.forEach(([x, y]) => pen.lineTo(x, y)); pen.closePath(); pen.lineWidth = 2; pen.strokeStyle = accent; pen.stroke(); pen.globalAlpha = 0.12; pen.fillStyle = accent; pen.fill(); pen.globalAlpha = 1; }
    if (document.activeElement === canvas && canvas.matches(":focus-visible")) { pen.beginPath(); pen.moveTo(width / 2 - 9, height / 2); pen.lineTo(width / 2 + 9, height / 2); pen.moveTo(width / 2, height / 2 - 9); pen.lineTo(width / 2, height / 2 + 9); pen.lineWidth = 2; pen.strokeStyle = ink; pen.stroke(); }
  });
}

const pixel = (i) => [xy[2 * i] * view.scale + view.x, xy[2 * i + 1] * view.scale + view.y];

function fit() {
  view.least = Math.min(width, height) / 65535 * 0.94;
  view.scale = view.least;
  view.x = (width - 65535 * view.scale) / 2; view.y = (height - 65535 * view.scale) / 2;
  draw();
}

function zoom(factor, x = width / 2, y = height / 2) {
  const scale = Math.max(view.least * 0.5, Math.min(view.least * 400, view.scale * factor));
  view.x = x - (x - view.x) * scale / view.scale; view.y = y - (y - view.y) * scale / view.scale; view.scale = scale;
  draw();
}

// Songs by cells of a grid, so that the nearest one is found without looking at all.
const cells = Math.max(1, Math.min(512, Math.ceil(Math.sqrt(count / 4)))), side = 65536 / cells;
const first = new Uint32Array(cells * cells + 1), order = new Uint32Array(count);
const cell = (i) => Math.floor(xy[2 * i + 1] / side) * cells + Math.floor(xy[2 * i] / side);
for (let i = 0; i < count; i++) first[cell(i) + 1]++;
for (let c = 0; c < cells * cells; c++) first[c + 1] += first[c];
{ const next = first.slice(); for (let i = 0; i < count; i++) order[next[cell(i)]++] = i; }

function nearest(x, y, reach) {
  const px = (x - view.x) / view.scale, py = (y - view.y) / view.scale, r = reach / view.scale;
  const low = (v) => Math.max(0, Math.min(cells - 1, Math.floor((v - r) / side))), high = (v) => Math.max(0, Math.min(cells - 1, Math.floor((v + r) / side)));
  let best = -1, least = r * r;
  for (let row = low(py); row <= high(py); row++) {
    for (let at = first[row * cells + low(px)], end = first[row * cells + high(px) + 1]; at < end; at++) {
      const i = order[at], d = (xy[2 * i] - px) ** 2 + (xy[2 * i + 1] - py) ** 2;
      if (d < least && matching[i]) { least = d; best = i; }
    }
  }
  return best;
}

function mix(t) {
  const [a, b, u] = t < 0.5 ? [SLOW, MIDDLE, 2 * t] : [MIDDLE, FAST, 2 * t - 1];
  return a.map((v, k) => v + (b[k] - v) * u);
}
const speed = (bpm) => Math.max(0, Math.min(1, (bpm - 60) / 120));

function recolour() {
  const table = by === "tempo" ? null : data.classes[by].names.map((name, k) => rgb(name === "other" || !name ? OTHER : PALETTE[k % PALETTE.length]));
  for (let i = 0; i < count; i++) {
    const code = table ? codes[by][i] : 0;
    const colour = table ? table[code] : tempo[i] ? mix(speed(tempo[i])) : rgb(OTHER);
    const visible = matching[i] && (!only.size || only.has(code));
    colours.set([colour[0], colour[1], colour[2], visible ? 235 : DIM], 4 * i);
  }
  paint.recolour(); draw();
}

function legend() {
  const box = $("legend");
  box.replaceChildren(); only = new Set(); labels = [];
  if (by === "tempo") {
    const bar = Object.assign(document.createElement("div"), { className: "scale" }), ends = Object.assign(document.createElement("div"), { className: "ends soft" });
    bar.style.background = `linear-gradient(90deg, ${[SLOW, MIDDLE, FAST].map((c) => `rgb(${c.join(" ")})`).join(", ")})`;
    for (const text of ["60 bpm", "120", "180"]) ends.append(Object.assign(document.createElement("span"), { textContent: text }));
    box.append(bar, ends);
    return;
  }
  const sizes = new Uint32Array(256);
  for (const code of codes[by]) sizes[code]++;
  data.classes[by].names.forEach((name, code) => {
    if (!sizes[code]) return;
    const button = Object.assign(document.createElement("button"), { type: "button" }), dot = document.createElement("i");
    dot.style.setProperty("--dot", name === "other" || !name ? OTHER : PALETTE[code % PALETTE.length]);
    button.append(dot, `${name || "unknown"} (${sizes[code]})`);
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      if (only.has(code)) only.delete(code); else only.add(code);
      button.setAttribute("aria-pressed", String(only.has(code)));
      recolour();
    });
    box.append(button);
    if (by === "cluster") labels.push([name, ...middle(code), sizes[code]]);
  });
  labels.sort((a, b) => b[3] - a[3]);
}

function middle(code) {
  const xs = [], ys = [];
  for (let i = 0; i < count; i++) if (codes[by][i] === code) { xs.push(xy[2 * i]); ys.push(xy[2 * i + 1]); }
  const half = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  return [half(xs), half(ys)];
}

const facts = (i) => [clock(seconds[i]), tempo[i] ? tempo[i] + " bpm" : "", ...["genre", "mood"].map((key) => data.classes[key].names[codes[key][i]])].filter(Boolean).join(", ");

function choose(i, centre = false) {
  if (i < 0) return;
  chosen = i;
  $("name").textContent = named(i);
  $("facts").textContent = `${facts(i)}. ${decoded(uri(i).replace("file://", ""))}`;
  $("failure").textContent = "";
  $("audio").src = uri(i);
  if ($("auto").checked) $("audio").play().catch(() => {});
  for (const button of $("list").querySelectorAll("button")) button.setAttribute("aria-current", String(button.dataset.song === String(i)));
  if (centre) { const [x, y] = pixel(i); view.x += width / 2 - x; view.y += height / 2 - y; }
  say(`Chosen: ${named(i)}, ${facts(i)}`);
  draw();
}
$("audio").addEventListener("error", () => { if ($("audio").getAttribute("src")) $("failure").textContent = "This file cannot be played here: it was moved, or the browser does not know its format."; });
const say = (text) => { $("said").textContent = text; };

function list(songs, heading) {
  $("count").textContent = heading;
  $("list").replaceChildren(...songs.slice(0, LISTED).map((i) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: named(i) }), item = document.createElement("li");
    button.dataset.song = i;
    button.addEventListener("click", () => choose(i, true));
    item.append(button);
    return item;
  }));
  $("more").textContent = songs.length > LISTED ? `and ${songs.length - LISTED} more` : "";
  $("save").disabled = !songs.length || songs !== selected;
  $("clear").disabled = !selected.length;
}

function select(songs) {
  selected = chain(songs);
  list(selected, `${selected.length} selected`);
  say(`${selected.length} songs selected`);
  draw();
}

function chain(songs) { // each song is followed by the nearest one left, so that a playlist flows
  if (songs.length > 1500) return songs;
  const left = songs.slice(), made = left.splice(0, 1);
  while (left.length) {
    const last = made[made.length - 1];
    let best = 0, least = Infinity;
    left.forEach((i, at) => { const d = (xy[2 * i] - xy[2 * last]) ** 2 + (xy[2 * i + 1] - xy[2 * last + 1]) ** 2; if (d < least) { least = d; best = at; } });
    made.push(left.splice(best, 1)[0]);
  }
  return made;
}

function inside(points) {
  const shape = points.map(([x, y]) => [(x - view.x) / view.scale, (y - view.y) / view.scale]), found = [];
  for (let i = 0; i < count; i++) {
    if (!matching[i] || (only.size && by !== "tempo" && !only.has(codes[by][i]))) continue;
    const x = xy[2 * i], y = xy[2 * i + 1];
    let within = false;
    for (let a = 0, b = shape.length - 1; a < shape.length; b = a++) {
      const [ax, ay] = shape[a], [bx, by2] = shape[b];
      if (ay > y !== by2 > y && x < (bx - ax) * (y - ay) / (by2 - ay) + ax) within = !within;
    }
    if (within) found.push(i);
  }
  return found;
}

function playlist() {
  const lines = ["#EXTM3U"];
  for (const i of selected) {
    const address = uri(i), text = decoded(address);
    const path = text !== address || !address.includes("%") ? text.replace(/^file:\/\/(?=\/)/, "").replace(/^\/(?=[A-Za-z]:)/, "") : address;
    lines.push(`#EXTINF:${seconds[i] || -1},${named(i)}`, /[\r\n]/.test(path) ? address : path);
  }
  return lines.join("\n") + "\n";
}
$("save").addEventListener("click", () => {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(new Blob([playlist()], { type: "audio/x-mpegurl" })), download: "selection.m3u8" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
$("clear").addEventListener("click", () => { select([]); list([], "Songs"); });

let texts = null, waiting = 0;
$("search").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(search, 120); });
function search() {
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  texts ||= data.files.map((_, i) => (named(i) + " " + decoded(data.folders[folder[i]].split("/").slice(-3).join("/") + data.files[i])).toLowerCase());
  const found = [];
  for (let i = 0; i < count; i++) { matching[i] = words.every((word) => texts[i].includes(word)) ? 1 : 0; if (matching[i] && words.length) found.push(i); }
  if (words.length) list(found, `${found.length} found`); else list(selected, selected.length ? `${selected.length} selected` : "Songs");
  if (words.length) say(`${found.length} songs found`);
  recolour();
}

const pointers = new Map();
let begin = null, apart = 0, lassoing = false;
const at = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, at(event)); begin = at(event);
  if (pointers.size === 1 && (lassoing || event.shiftKey)) polygon = [at(event)];
  if (pointers.size === 2) { polygon = null; apart = gap(); }
});
const gap = () => { const [a, b] = [...pointers.values()]; return Math.hypot(a[0] - b[0], a[1] - b[1]); };
canvas.addEventListener("pointermove", (event) => {
  const [x, y] = at(event), before = pointers.get(event.pointerId);
  if (!before) { hover(x, y); return; }
  pointers.set(event.pointerId, [x, y]);
  if (pointers.size === 2) { const now = gap(), [a, b] = [...pointers.values()]; zoom(now / Math.max(1, apart), (a[0] + b[0]) / 2, (a[1] + b[1]) / 2); apart = now; }
  else if (polygon) polygon.push([x, y]);
  else { view.x += x - before[0]; view.y += y - before[1]; }
  draw();
});
function release(event) {
  const [x, y] = at(event), still = begin && Math.hypot(x - begin[0], y - begin[1]) < 4;
  if (pointers.delete(event.pointerId) && event.type === "pointerup") {
    if (still) choose(nearest(x, y, Math.max(14, radius() + 3)));
    else if (polygon && polygon.length > 2) select(inside(polygon));
  }
  polygon = null; draw();
}
canvas.addEventListener("pointerup", release);
canvas.addEventListener("pointercancel", release);
canvas.addEventListener("pointerleave", () => { under = -1; $("tip").hidden = true; draw(); });
canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(Math.exp(-event.deltaY * 0.0015), ...at(event)); }, { passive: false });
function hover(x, y) {
  const found = nearest(x, y, Math.max(12, radius() + 2)), tip = $("tip");
  if (found !== under) { under = found; draw(); }
  tip.hidden = found < 0;
  if (found < 0) return;
  tip.textContent = `${named(found)} (${facts(found)})`;
  tip.style.transform = `translate(${Math.max(4, Math.min(x + 14, width - tip.offsetWidth - 8))}px, ${y + 18 + tip.offsetHeight > height ? y - 12 - tip.offsetHeight : y + 18}px)`;
}
canvas.addEventListener("keydown", (event) => {
  const step = event.shiftKey ? 160 : 40;
  const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
  if (moves[event.key]) { view.x += moves[event.key][0]; view.y += moves[event.key][1]; draw(); }
  else if (event.key === "+" || event.key === "=") zoom(1.3);
  else if (event.key === "-") zoom(1 / 1.3);
  else if (event.key === "0") fit();
  else if (event.key === "Enter") choose(nearest(width / 2, height / 2, Math.max(width, height) / 3));
  else if (event.key === " ") { const audio = $("audio"); if (audio.paused) audio.play().catch(() => {}); else audio.pause(); }
  else return;
  event.preventDefault();
});
for (const name of ["focus", "blur"]) canvas.addEventListener(name, draw);
$("in").addEventListener("click", () => zoom(1.5));
$("out").addEventListener("click", () => zoom(1 / 1.5));
$("fit").addEventListener("click", fit);
$("view").addEventListener("click", () => select(inside([[0, 0], [width, 0], [width, height], [0, height]])));
$("lasso").addEventListener("click", () => { lassoing = !lassoing; $("lasso").setAttribute("aria-pressed", String(lassoing)); canvas.classList.toggle("lasso", lassoing); });
$("by").addEventListener("change", () => { by = $("by").value; legend(); recolour(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

const paint = painter();
new ResizeObserver(() => {
  const before = [width, height], box = canvas.getBoundingClientRect();
  ratio = Math.min(2, devicePixelRatio || 1); width = box.width; height = box.height;
  for (const one of [canvas, marks]) { one.width = Math.round(width * ratio); one.height = Math.round(height * ratio); }
  if (before[0] === 1) fit(); else { view.x += (width - before[0]) / 2; view.y += (height - before[1]) / 2; draw(); }
}).observe($("map"));
legend(); recolour();
