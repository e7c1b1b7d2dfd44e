// Waveform and spectrogram of a song of any length: zoom, selection, cursor, keys.
import { useEffect, useRef } from "preact/hooks";
import { effect, signal } from "@preact/signals";
import { clock, hertz, tickStep } from "../format";
import { transport } from "../player";
import { dark, duration, selection, song, viewport, type Range } from "../state";
import { CLOSE_SAMPLES, fetchLine, fetchWave, Tiles, type Line, type Wave } from "./drawing";

const AXIS = 22; // CSS pixels of the time axis
const EDGE = 6; // pixels within which an end of the selection is grasped
const SHORTEST = 0.002; // seconds in view

export const showSpectrogram = signal(true);

export function zoom(factor: number, at?: number): void {
  const { start, stop } = viewport.value;
  const centre = at ?? (transport.value.position() >= start && transport.value.position() <= stop ? transport.value.position() : (start + stop) / 2);
  const width = Math.min(duration.value, Math.max(SHORTEST, (stop - start) * factor));
  const left = centre - ((centre - start) / (stop - start)) * width;
  look(left, width);
}

export function look(left: number, width: number): void {
  const start = Math.min(Math.max(0, left), Math.max(0, duration.value - width));
  viewport.value = { start, stop: Math.min(duration.value, start + width) };
}

export function showAll(): void {
  viewport.value = { start: 0, stop: Math.max(duration.value, 0.01) };
}

export function showSelection(): void {
  if (!selection.value) return showAll();
  const { start, stop } = selection.value;
  const margin = (stop - start) * 0.1;
  look(start - margin, Math.min(duration.value, stop - start + 2 * margin));
}

interface Props {
  label: string;
  height?: number;
  spectrogram?: boolean;
}

export function Waveform({ label, height = 0, spectrogram = false }: Props) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const painter = new Painter(box.current!, spectrogram);
    return () => painter.close();
  }, [spectrogram]);
  const position = transport.value.position();
  return (
    <div
      ref={box}
      class={`wave ${spectrogram ? "wave-tall" : ""}`}
      style={height ? { height: `${height}px` } : undefined}
      role="slider"
      tabIndex={0}
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={Math.round(duration.value * 10) / 10}
      aria-valuenow={Math.round(position * 10) / 10}
      aria-valuetext={`${clock(position)} of ${clock(duration.value)}`}
      aria-describedby="wave-keys"
    >
      <canvas class="wave-picture" aria-hidden="true" />
      <canvas class="wave-cursor" aria-hidden="true" />
    </div>
  );
}

class Painter {
  private picture: HTMLCanvasElement;
  private cursor: HTMLCanvasElement;
  private wave: Wave | null = null;
  private line: Line | null = null;
  private tiles: Tiles;
  private stopFetch: AbortController | null = null;
  private wanted = "";
  private frame = 0;
  private dirty = true;
  private closers: (() => void)[] = [];
  private width = 0;
  private height = 0;
  private hover: number | null = null;
  private pinch: { distance: number; range: Range } | null = null;
  private pointers = new Map<number, number>();
  private grasp: { anchor: number; moved: boolean; edge: boolean } | null = null;

  constructor(
    private box: HTMLDivElement,
    private spectrogram: boolean,
  ) {
    this.picture = box.querySelector(".wave-picture")!;
    this.cursor = box.querySelector(".wave-cursor")!;
    this.tiles = new Tiles(() => (this.dirty = true));
    const observer = new ResizeObserver(() => this.resize());
    observer.observe(box);
    this.closers.push(() => observer.disconnect());
    this.closers.push(
      effect(() => {
        void [viewport.value, song.value, dark.value, showSpectrogram.value];
        this.dirty = true;
        this.fetch();
      }),
    );
    this.listen();
    this.resize();
    const step = () => {
      if (this.dirty) this.paint();
      this.paintCursor();
      this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }

  close(): void {
    cancelAnimationFrame(this.frame);
    this.stopFetch?.abort();
    for (const one of this.closers) one();
  }

  private resize(): void {
    this.width = this.box.clientWidth;
    this.height = this.box.clientHeight;
    const ratio = Math.min(devicePixelRatio || 1, 2);
    for (const canvas of [this.picture, this.cursor]) {
      canvas.width = Math.max(1, Math.round(this.width * ratio));
      canvas.height = Math.max(1, Math.round(this.height * ratio));
    }
    this.dirty = true;
    this.fetch();
  }

  // ---- data

  private fetch(): void {
    const info = song.value;
    if (!info || this.width < 2) return;
    const view = viewport.value;
    const bins = Math.min(2_048, Math.max(32, Math.ceil(this.width)));
    const samples = (view.stop - view.start) * info.sample_rate;
    const close = samples <= CLOSE_SAMPLES;
    const key = `${info.ref} ${view.start} ${view.stop} ${bins} ${close} ${info.complete || info.read_seconds}`;
    if (key === this.wanted) return;
    this.wanted = key;
    this.stopFetch?.abort();
    const stop = (this.stopFetch = new AbortController());
    const quick = this.wave?.ref === info.ref;
    setTimeout(
      () => {
        if (stop.signal.aborted) return;
        const range = { start: view.start, stop: Math.max(view.stop, view.start + 0.0005) };
        fetchWave(info.ref, range, bins, stop.signal).then((made) => this.got(made), () => undefined);
        if (close) fetchLine(info.ref, range, stop.signal).then((made) => this.got(made), () => undefined);
        else this.line = null;
      },
      quick ? 40 : 0,
    );
  }

  private got(made: Wave | Line): void {
    if ("bins" in made) {
      this.wave = made;
      if (made.complete) this.tiles.refresh();
    } else this.line = made;
    this.dirty = true;
  }

  // ---- pictures

  private x(seconds: number): number {
    const { start, stop } = viewport.value;
    return ((seconds - start) / (stop - start)) * this.width;
  }

  private seconds(x: number): number {
    const { start, stop } = viewport.value;
    return Math.min(duration.value, Math.max(0, start + (x / this.width) * (stop - start)));
  }

  private begin(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
    const context = canvas.getContext("2d")!;
    const ratio = canvas.width / Math.max(1, this.width);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    return context;
  }

  private split(): [number, number] {
    const inner = this.height - AXIS;
    return this.spectrogram && showSpectrogram.value ? [inner * 0.42, inner * 0.58] : [inner, 0];
  }

  private paint(): void {
    this.dirty = false;
    const context = this.begin(this.picture);
    const info = song.value;
    if (!info) return;
    const style = getComputedStyle(this.box);
    const [wave, spectra] = this.split();
    const colour = (name: string) => style.getPropertyValue(name).trim();
    if (spectra) {
      context.save();
      context.translate(0, wave);
      context.beginPath();
      context.rect(0, 0, this.width, spectra);
      context.clip();
      this.tiles.draw(context, info.ref, viewport.value, duration.value, this.width, spectra, dark.value);
      this.paintFrequencies(context, spectra, colour);
      context.restore();
    }
    this.paintAxis(context, colour);
    if (this.line?.ref === info.ref) this.paintLine(context, wave, colour("--wave"));
    else if (this.wave?.ref === info.ref) this.paintWave(context, this.wave, wave, colour("--wave"), colour("--wave-level"));
  }

  private paintWave(context: CanvasRenderingContext2D, wave: Wave, height: number, outer: string, inner: string): void {
    const middle = height / 2;
    const scale = (height / 2 - 4) / 32_000;
    const step = (wave.stop - wave.start) / wave.bins;
    for (const [low, high, colour] of [
      [0, 1, outer],
      [2, 2, inner],
    ] as const) {
      context.fillStyle = colour;
      context.beginPath();
      for (let i = 0; i < wave.bins; i++) {
        const x = this.x(wave.start + i * step);
        const top = wave.data[3 * i + high]! * scale;
        const bottom = low === 2 ? -top : wave.data[3 * i + low]! * scale;
        if (top === 0 && bottom === 0) continue;
        const w = Math.max(1, this.x(wave.start + (i + 1) * step) - x + 0.3);
        context.rect(x, middle - top - 0.5, w, top - bottom + 1);
      }
      context.fill();
    }
    context.fillStyle = inner;
    context.globalAlpha = 0.35;
    context.fillRect(this.x(0), middle, this.x(duration.value) - this.x(0), 1);
    context.globalAlpha = 1;
  }

  private paintLine(context: CanvasRenderingContext2D, height: number, colour: string): void {
    const { data, start, stop } = this.line!;
    const step = (stop - start) / data.length;
    context.strokeStyle = colour;
    context.lineWidth = 1.5;
    context.lineJoin = "round";
    context.beginPath();
    data.forEach((value, i) => context.lineTo(this.x(start + (i + 0.5) * step), height / 2 - value * (height / 2 - 4)));
    context.stroke();
    if (this.width / data.length < 6) return;
    context.fillStyle = colour;
    data.forEach((value, i) => {
      context.fillRect(this.x(start + (i + 0.5) * step) - 2, height / 2 - value * (height / 2 - 4) - 2, 4, 4);
    });
  }

  private paintFrequencies(context: CanvasRenderingContext2D, height: number, colour: (name: string) => string): void {
    context.font = `11px ${getComputedStyle(this.box).fontFamily}`;
    context.textBaseline = "middle";
    for (const [frequency, row] of this.tiles.ticks) {
      const y = height * (1 - row);
      if (y < 10 || y > height - 6) continue;
      const text = hertz(frequency);
      const w = context.measureText(text).width + 8;
      context.fillStyle = colour("--label-back");
      context.fillRect(4, y - 8, w, 16);
      context.fillStyle = colour("--label");
      context.fillText(text, 8, y + 0.5);
    }
  }

  private paintAxis(context: CanvasRenderingContext2D, colour: (name: string) => string): void {
    const { start, stop } = viewport.value;
    const y = this.height - AXIS;
    context.fillStyle = colour("--line");
    context.fillRect(0, y, this.width, 1);
    context.font = `11px ${getComputedStyle(this.box).fontFamily}`;
    context.textBaseline = "middle";
    const step = tickStep(stop - start, Math.max(2, this.width / 90));
    const digits = step >= 1 ? 0 : Math.min(3, Math.ceil(-Math.log10(step)));
    for (let t = Math.ceil(start / step) * step; t <= stop + 1e-9; t += step) {
      const x = Math.round(this.x(t));
      context.fillStyle = colour("--line");
      context.fillRect(x, y, 1, 5);
      context.fillStyle = colour("--muted");
      const text = clock(t, digits);
      const w = context.measureText(text).width;
      if (x + w + 4 < this.width) context.fillText(text, x + 4, y + AXIS / 2 + 1);
    }
  }

  private paintCursor(): void {
    const context = this.begin(this.cursor);
    if (!song.value) return;
    const style = getComputedStyle(this.box);
    const inner = this.height - AXIS;
    const chosen = selection.value;
    if (chosen) {
      const [a, b] = [this.x(chosen.start), this.x(chosen.stop)];
      context.fillStyle = style.getPropertyValue("--selection");
      context.fillRect(a, 0, b - a, inner);
      context.fillStyle = style.getPropertyValue("--accent-2");
      context.fillRect(a - 1, 0, 2, inner);
      context.fillRect(b - 1, 0, 2, inner);
    }
    const at = transport.value.position();
    const x = this.x(at);
    context.fillStyle = style.getPropertyValue("--cursor");
    if (x >= 0 && x <= this.width) {
      context.fillRect(Math.round(x) - 1, 0, 2, this.height - AXIS + 4);
      context.beginPath();
      context.moveTo(x - 5, 0);
      context.lineTo(x + 5, 0);
      context.lineTo(x, 7);
      context.fill();
    }
    if (this.hover !== null && !this.grasp) {
      context.globalAlpha = 0.35;
      context.fillRect(Math.round(this.hover), 0, 1, inner);
      context.globalAlpha = 1;
    }
    const value = at.toFixed(1);
    if (this.box.getAttribute("aria-valuenow") !== value) {
      this.box.setAttribute("aria-valuenow", value);
      this.box.setAttribute("aria-valuetext", `${clock(at)} of ${clock(duration.value)}`);
    }
    this.follow(x);
  }

  /** Turn the page when the cursor leaves the view while playing. */
  private follow(x: number): void {
    if (!transport.value.playing.value || this.grasp || this.pointers.size) return;
    const { start, stop } = viewport.value;
    if (x > this.width && x < this.width * 1.1 && stop < duration.value - 0.01) look(stop - (stop - start) * 0.05, stop - start);
  }

  // ---- pointers and keys

  private listen(): void {
    const on = <K extends keyof HTMLElementEventMap>(name: K, act: (event: HTMLElementEventMap[K]) => void, options?: AddEventListenerOptions) => {
      this.box.addEventListener(name, act, options);
      this.closers.push(() => this.box.removeEventListener(name, act));
    };
    on("wheel", (event) => this.wheel(event), { passive: false });
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.up(event));
    on("pointercancel", (event) => this.up(event));
    on("pointerleave", () => (this.hover = null));
    on("dblclick", () => (selection.value = null));
    on("keydown", (event) => this.key(event));
  }

  private at(event: PointerEvent | WheelEvent): number {
    return event.clientX - this.box.getBoundingClientRect().left;
  }

  private wheel(event: WheelEvent): void {
    if (!song.value) return;
    event.preventDefault();
    const { start, stop } = viewport.value;
    const unit = event.deltaMode === 1 ? 30 : 1;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const by = ((event.deltaX || event.deltaY) * unit * (stop - start)) / this.width;
      look(start + by, stop - start);
    } else zoom(Math.exp(event.deltaY * unit * 0.002), this.seconds(this.at(event)));
  }

  private down(event: PointerEvent): void {
    if (!song.value || event.button !== 0) return;
    this.box.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.at(event));
    if (this.pointers.size === 2) {
      const [a, b] = [...this.pointers.values()];
      this.pinch = { distance: Math.max(10, Math.abs(a! - b!)), range: viewport.value };
      this.grasp = null;
      return;
    }
    const x = this.at(event);
    const chosen = selection.value;
    const reach = event.pointerType === "touch" ? 3 * EDGE : EDGE;
    if (chosen && Math.abs(x - this.x(chosen.start)) <= reach) this.grasp = { anchor: chosen.stop, moved: false, edge: true };
    else if (chosen && Math.abs(x - this.x(chosen.stop)) <= reach) this.grasp = { anchor: chosen.start, moved: false, edge: true };
    else this.grasp = { anchor: this.seconds(x), moved: false, edge: false };
  }

  private move(event: PointerEvent): void {
    const x = this.at(event);
    this.hover = event.pointerType === "mouse" ? x : null;
    if (this.pointers.has(event.pointerId)) this.pointers.set(event.pointerId, x);
    if (this.pinch && this.pointers.size === 2) {
      const [a, b] = [...this.pointers.values()] as [number, number];
      const { start, stop } = this.pinch.range;
      const width = Math.max(SHORTEST, ((stop - start) * this.pinch.distance) / Math.max(10, Math.abs(a - b)));
      look((start + stop) / 2 - width / 2, width);
      return;
    }
    if (!this.grasp) {
      const chosen = selection.value;
      const near = chosen && [chosen.start, chosen.stop].some((one) => Math.abs(x - this.x(one)) <= EDGE);
      this.box.style.cursor = near ? "ew-resize" : "text";
      return;
    }
    if (!this.grasp.moved && Math.abs(x - this.x(this.grasp.anchor)) < 4 && !this.grasp.edge) return;
    this.grasp.moved = true;
    const other = this.seconds(x);
    const [start, stop] = [Math.min(other, this.grasp.anchor), Math.max(other, this.grasp.anchor)];
    if (stop > start) selection.value = { start, stop };
  }

  private up(event: PointerEvent): void {
    this.pointers.delete(event.pointerId);
    if (this.pinch) {
      if (this.pointers.size === 0) this.pinch = null;
      return;
    }
    const grasp = this.grasp;
    this.grasp = null;
    if (grasp && !grasp.moved && !grasp.edge && event.type === "pointerup") transport.value.seek(grasp.anchor);
  }

  private key(event: KeyboardEvent): void {
    if (!song.value || event.ctrlKey || event.metaKey || event.altKey) return;
    const { start, stop } = viewport.value;
    const at = transport.value.position();
    const step = (stop - start) / 50;
    const by = { ArrowLeft: -step, ArrowRight: step, PageUp: step * 25, PageDown: -step * 25 }[event.key];
    if (by !== undefined && event.shiftKey) extend(at, by);
    else if (by !== undefined) transport.value.seek(at + by);
    else if (event.key === "Home") transport.value.seek(0);
    else if (event.key === "End") transport.value.seek(duration.value);
    else if (event.key === "Escape") selection.value = null;
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** Move the end of the selection that is nearer to where the keys point; without one, begin at the cursor. */
function extend(at: number, by: number): void {
  const chosen = selection.value ?? { start: at, stop: at };
  const stop = Math.min(duration.value, Math.max(0, chosen.stop + by));
  if (stop > chosen.start) selection.value = { start: chosen.start, stop };
  else if (stop < chosen.start) selection.value = { start: stop, stop: chosen.start };
}

/** Set an end of the selection to the cursor. */
export function mark(which: "start" | "stop"): void {
  const at = transport.value.position();
  const chosen = selection.value;
  if (which === "start") selection.value = { start: at, stop: Math.max(chosen?.stop ?? duration.value, at + 0.01) };
  else selection.value = { start: Math.min(chosen?.start ?? 0, Math.max(0, at - 0.01)), stop: Math.max(at, 0.01) };
}
