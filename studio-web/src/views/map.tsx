// All songs as points: the library's own map, or two measured values; zoom, choose, play.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { get } from "../api";
import { clock, words, capital } from "../format";
import { dark, fail, songRef, stored } from "../state";
import type { MapPoints, SongRow } from "../types";
import { chosen, info, pick, playlist, playSong, rows } from "./library";

const axes = stored<{ x: string; y: string }>("library.axes", { x: "", y: "" });
const points = signal<MapPoints | null>(null);
const hover = signal<{ song: SongRow; x: number; y: number } | null>(null);
const MARGIN = 36;

export function MapView() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const names = info.value?.axes ?? [];
  const x = axes.value.x || (names.includes("similarity") ? "similarity" : "valence");
  const y = axes.value.y || (names.includes("similarity") ? "similarity" : "arousal");
  useEffect(() => {
    if (!info.value) return;
    get<MapPoints>("/library/map", { x, y }).then((found) => (points.value = found), fail);
  }, [x, y, info.value]);
  useEffect(() => {
    const painter = new Scatter(canvas.current!);
    return () => painter.close();
  }, []);
  useEffect(() => Scatter.current?.redraw(), [points.value, rows.value, chosen.value, dark.value, playlist.value, songRef.value]);
  const set = (part: { x?: string; y?: string }) => {
    const next = { x, y, ...part };
    if (part.x === "similarity" || part.y === "similarity") next.x = next.y = "similarity";
    else if (next.x === "similarity") next.x = "valence";
    else if (next.y === "similarity") next.y = "arousal";
    axes.value = next;
  };
  const label = (name: string) => capital(words(name));
  return (
    <div class="map">
      <div class="tools">
        <label class="unit">
          <span class="muted">Across</span>
          <select value={x} onChange={(event) => set({ x: event.currentTarget.value })}>
            {names.map((one) => (
              <option key={one} value={one}>
                {label(one)}
              </option>
            ))}
          </select>
        </label>
        <label class="unit">
          <span class="muted">Up</span>
          <select value={y} onChange={(event) => set({ y: event.currentTarget.value })}>
            {names.map((one) => (
              <option key={one} value={one}>
                {label(one)}
              </option>
            ))}
          </select>
        </label>
        <span class="muted small-text">Wheel zooms, drag moves, double click plays. The table has the same songs.</span>
      </div>
      <div class="map-box">
        <canvas ref={canvas} role="img" aria-label={`Map of ${points.value?.ids.length ?? 0} songs by ${label(x)} and ${label(y)}. The table lists the same songs.`} />
        {hover.value && (
          <div class="tip" style={{ left: `${hover.value.x}px`, top: `${hover.value.y}px` }}>
            <strong>{hover.value.song.title}</strong>
            <span>{[hover.value.song.artist, hover.value.song.genre, hover.value.song.seconds && clock(hover.value.song.seconds, 0)].filter(Boolean).join(" · ")}</span>
          </div>
        )}
      </div>
    </div>
  );
}

const HUES = [250, 20, 150, 320, 95, 200, 45, 280, 0, 175];

class Scatter {
  static current: Scatter | null = null;
  private zoom = 1;
  private centre: [number, number] = [0.5, 0.5];
  private width = 1;
  private height = 1;
  private observer: ResizeObserver;
  private drag: { x: number; y: number; centre: [number, number]; moved: boolean } | null = null;
  private asked = 0;

  constructor(private canvas: HTMLCanvasElement) {
    Scatter.current = this;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(canvas.parentElement!);
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.drag = { x: event.clientX, y: event.clientY, centre: this.centre, moved: false };
    });
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => {
      if (this.drag && !this.drag.moved) {
        const near = this.near(event);
        if (near) void pick(near.id);
      }
      this.drag = null;
    });
    canvas.addEventListener("pointerleave", () => (hover.value = null));
    canvas.addEventListener("dblclick", (event) => {
      const near = this.near(event);
      if (near) playSong(near);
    });
    this.resize();
  }

  close(): void {
    this.observer.disconnect();
    if (Scatter.current === this) Scatter.current = null;
    hover.value = null;
  }

  redraw(): void {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      this.paint();
    });
  }

  private resize(): void {
    const box = this.canvas.parentElement!;
    [this.width, this.height] = [box.clientWidth, box.clientHeight];
    const ratio = Math.min(devicePixelRatio || 1, 2);
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.redraw();
  }

  private place(x: number, y: number): [number, number] {
    const [w, h] = [this.width - 2 * MARGIN, this.height - 2 * MARGIN];
    return [MARGIN + ((x - this.centre[0]) * this.zoom + 0.5) * w, MARGIN + (0.5 - (y - this.centre[1]) * this.zoom) * h];
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const box = this.canvas.getBoundingClientRect();
    const [w, h] = [this.width - 2 * MARGIN, this.height - 2 * MARGIN];
    const [u, v] = [(event.clientX - box.left - MARGIN) / w - 0.5, 0.5 - (event.clientY - box.top - MARGIN) / h];
    const next = Math.min(60, Math.max(1, this.zoom * Math.exp(-event.deltaY * 0.002)));
    this.centre = [this.centre[0] + u / this.zoom - u / next, this.centre[1] + v / this.zoom - v / next];
    this.zoom = next;
    if (next === 1) this.centre = [0.5, 0.5];
    this.redraw();
  }

  private move(event: PointerEvent): void {
    if (this.drag && event.buttons) {
      const [dx, dy] = [event.clientX - this.drag.x, event.clientY - this.drag.y];
      if (Math.hypot(dx, dy) > 3) this.drag.moved = true;
      const [w, h] = [this.width - 2 * MARGIN, this.height - 2 * MARGIN];
      this.centre = [this.drag.centre[0] - dx / w / this.zoom, this.drag.centre[1] + dy / h / this.zoom];
      this.redraw();
      return;
    }
    const near = this.near(event);
    const box = this.canvas.getBoundingClientRect();
    hover.value = near ? { song: near, x: Math.min(event.clientX - box.left, this.width - 180), y: event.clientY - box.top } : null;
    this.canvas.style.cursor = near ? "pointer" : "grab";
  }

  private near(event: MouseEvent): SongRow | null {
    const found = points.value;
    if (!found) return null;
    const box = this.canvas.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    let [best, distance] = [-1, 14];
    for (let i = 0; i < found.ids.length; i++) {
      const [x, y] = this.place(found.x[i]!, found.y[i]!);
      const d = Math.hypot(x - px, y - py);
      if (d < distance) [best, distance] = [i, d];
    }
    return best < 0 ? null : (rows.value?.find((one) => one.id === found.ids[best]) ?? null);
  }

  private paint(): void {
    const context = this.canvas.getContext("2d")!;
    const ratio = this.canvas.width / Math.max(1, this.width);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    const found = points.value;
    if (!found) return;
    const style = getComputedStyle(this.canvas);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    context.font = `12px ${style.fontFamily}`;
    context.fillStyle = colour("--muted");
    if (found.x_name !== "similarity") {
      const [a, b] = found.x_range;
      context.fillText(this.end(found.x_name, a!), MARGIN, this.height - 10);
      context.textAlign = "right";
      context.fillText(this.end(found.x_name, b!), this.width - MARGIN, this.height - 10);
      context.textAlign = "center";
      context.fillText(`${words(found.x_name)} →`, this.width / 2, this.height - 10);
      context.textAlign = "left";
      context.fillText(`${words(found.y_name)} ↑ ${this.end(found.y_name, found.y_range[1]!)}`, 10, 20);
      context.fillText(this.end(found.y_name, found.y_range[0]!), 10, this.height - MARGIN);
    }
    const shown = new Map((rows.value ?? []).map((one) => [one.id, one]));
    const genres = info.value?.genres ?? [];
    const path = playlist.value.map((id) => found.ids.indexOf(id)).filter((i) => i >= 0);
    context.strokeStyle = colour("--accent-2");
    context.lineWidth = 1.5;
    context.beginPath();
    path.forEach((i) => context.lineTo(...this.place(found.x[i]!, found.y[i]!)));
    context.stroke();
    const size = found.ids.length > 5_000 ? 2 : found.ids.length > 800 ? 3 : 4.5;
    for (let i = 0; i < found.ids.length; i++) {
      const one = shown.get(found.ids[i]!);
      const [x, y] = this.place(found.x[i]!, found.y[i]!);
      if (x < -5 || y < -5 || x > this.width + 5 || y > this.height + 5) continue;
      const hue = one?.genre ? HUES[genres.indexOf(one.genre) % HUES.length]! : 250;
      context.fillStyle = one ? `oklch(${dark.value ? "0.76" : "0.55"} 0.13 ${hue})` : colour("--line");
      context.beginPath();
      context.arc(x, y, one ? size : size * 0.7, 0, 7);
      context.fill();
      if (one?.id === chosen.value || (one?.ref && one.ref === songRef.value)) {
        context.strokeStyle = colour(one.id === chosen.value ? "--ink" : "--accent-2");
        context.lineWidth = 2;
        context.beginPath();
        context.arc(x, y, size + 4, 0, 7);
        context.stroke();
      }
    }
    this.paintClusters(context, found, colour("--label"), colour("--label-back"));
  }

  /** Name the clusters at their middles, the largest first, where there is room. */
  private paintClusters(context: CanvasRenderingContext2D, found: MapPoints, ink: string, back: string): void {
    const sums = found.clusters.map(() => [0, 0, 0] as [number, number, number]);
    found.cluster.forEach((k, i) => {
      const sum = sums[k];
      if (sum) (sum[0] += found.x[i]!), (sum[1] += found.y[i]!), (sum[2] += 1);
    });
    const boxes: [number, number, number][] = [];
    const order = sums.map((sum, k) => ({ sum, name: found.clusters[k]! })).sort((a, b) => b.sum[2] - a.sum[2]);
    for (const { sum, name } of order) {
      if (!sum[2] || !name) continue;
      const [x, y] = this.place(sum[0] / sum[2], sum[1] / sum[2]);
      const w = context.measureText(name).width + 12;
      if (x < w / 2 || x > this.width - w / 2 || boxes.some(([bx, by, bw]) => Math.abs(bx - x) < (bw + w) / 2 && Math.abs(by - y) < 22)) continue;
      boxes.push([x, y, w]);
      context.fillStyle = back;
      context.fillRect(x - w / 2, y - 10, w, 20);
      context.fillStyle = ink;
      context.textAlign = "center";
      context.fillText(name, x, y + 4);
      context.textAlign = "left";
    }
  }

  private end(name: string, value: number): string {
    if (name === "duration") return clock(value, 0);
    return Math.abs(value) >= 10 ? value.toFixed(0) : value.toFixed(1);
  }
}
