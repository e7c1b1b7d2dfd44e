// What a waveform and a spectrogram are drawn from: fetched for the stretch in view, kept for the next one.
import { bytes } from "../api";
import type { Range } from "../state";

export interface Wave extends Range {
  ref: string;
  data: Int16Array;
  bins: number;
  complete: boolean;
}

export interface Line extends Range {
  ref: string;
  data: Float32Array;
}

const TILE_COLUMNS = 512;
const ROWS = 192;
const MOST_TILES = 80;
export const CLOSE_SAMPLES = 24_000;

export async function fetchWave(ref: string, range: Range, bins: number, stop?: AbortSignal): Promise<Wave> {
  const query = { song: ref, start: range.start.toFixed(6), stop: range.stop.toFixed(6), bins };
  const response = await bytes("/waveform", query, stop);
  const data = new Int16Array(await response.arrayBuffer());
  return { ref, ...range, data, bins, complete: response.headers.get("x-celesta-complete") === "1" };
}

export async function fetchLine(ref: string, range: Range, stop?: AbortSignal): Promise<Line> {
  const query = { song: ref, start: range.start.toFixed(6), stop: range.stop.toFixed(6) };
  const response = await bytes("/samples", query, stop);
  return { ref, ...range, data: new Float32Array(await response.arrayBuffer()) };
}

interface Tile {
  data: Uint8Array;
  complete: boolean;
  picture: HTMLCanvasElement | null;
  shade: string;
}

/** Tiles of a spectrogram, each 512 columns; the seconds of a tile are a power of two. */
export class Tiles {
  private tiles = new Map<string, Tile>();
  private asked = new Set<string>();
  ticks: [number, number][] = [];

  constructor(private changed: () => void) {}

  clear(): void {
    this.tiles.clear();
    this.asked.clear();
  }

  /** Forget the tiles that were made before the song had been read. */
  refresh(): void {
    for (const [key, tile] of this.tiles) if (!tile.complete) this.tiles.delete(key);
  }

  draw(context: CanvasRenderingContext2D, ref: string, view: Range, duration: number, width: number, height: number, dark: boolean): void {
    const span = 2 ** Math.ceil(Math.log2(Math.max(0.02, (view.stop - view.start) / 2)));
    const scale = width / (view.stop - view.start);
    context.imageSmoothingEnabled = true;
    const last = Math.floor((Math.min(view.stop, duration) - 1e-9) / span);
    for (let i = Math.floor(view.start / span); i <= last; i++) {
      const tile = this.get(ref, span, i);
      const x = (i * span - view.start) * scale;
      if (tile) context.drawImage(this.picture(tile, dark), x, 0, span * scale + 0.5, height);
      else this.coarser(context, ref, span, i, x, scale, height, dark);
    }
  }

  /** Draw what a coarser tile shows of a tile that is still to come. */
  private coarser(context: CanvasRenderingContext2D, ref: string, span: number, i: number, x: number, scale: number, height: number, dark: boolean): void {
    for (let up = 1; up < 8; up++) {
      const big = span * 2 ** up;
      const tile = this.tiles.get(`${ref} ${big} ${Math.floor((i * span) / big)}`);
      if (!tile) continue;
      const left = (((i * span) % big) / big) * TILE_COLUMNS;
      context.drawImage(this.picture(tile, dark), left, 0, TILE_COLUMNS / 2 ** up, ROWS, x, 0, span * scale + 0.5, height);
      return;
    }
  }

  private get(ref: string, span: number, i: number): Tile | undefined {
    const key = `${ref} ${span} ${i}`;
    const found = this.tiles.get(key);
    if (found) {
      this.tiles.delete(key);
      this.tiles.set(key, found);
    }
    if ((!found || !found.complete) && !this.asked.has(key)) void this.fetch(ref, span, i, key);
    return found;
  }

  private async fetch(ref: string, span: number, i: number, key: string): Promise<void> {
    this.asked.add(key);
    try {
      const response = await bytes("/spectrogram", { song: ref, start: i * span, stop: (i + 1) * span });
      const text = response.headers.get("x-celesta-ticks") ?? "";
      this.ticks = text.split(",").filter(Boolean).map((one) => one.split(":").map(Number) as [number, number]);
      const complete = response.headers.get("x-celesta-complete") === "1";
      this.tiles.set(key, { data: new Uint8Array(await response.arrayBuffer()), complete, picture: null, shade: "" });
      while (this.tiles.size > MOST_TILES) this.tiles.delete(this.tiles.keys().next().value!);
      if (complete) this.asked.delete(key);
      else setTimeout(() => (this.asked.delete(key), this.changed()), 700); // asks again, if it is still in view
      this.changed();
    } catch {
      setTimeout(() => this.asked.delete(key), 5_000);
    }
  }

  private picture(tile: Tile, dark: boolean): HTMLCanvasElement {
    const shade = dark ? "dark" : "light";
    if (tile.picture && tile.shade === shade) return tile.picture;
    const canvas = tile.picture ?? document.createElement("canvas");
    canvas.width = TILE_COLUMNS;
    canvas.height = ROWS;
    const context = canvas.getContext("2d")!;
    const image = context.createImageData(TILE_COLUMNS, ROWS);
    const pixels = new Uint32Array(image.data.buffer);
    const colours = dark ? DARK : LIGHT;
    for (let c = 0; c < TILE_COLUMNS; c++) {
      for (let r = 0; r < ROWS; r++) pixels[(ROWS - 1 - r) * TILE_COLUMNS + c] = colours[tile.data[c * ROWS + r]!]!;
    }
    context.putImageData(image, 0, 0);
    tile.picture = canvas;
    tile.shade = shade;
    return canvas;
  }
}

/** 256 colours through some stops; levels below -110 dB are the background. */
function palette(stops: [number, number, number, number][]): Uint32Array {
  const made = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const at = Math.max(0, (i - 55) / (245 - 55));
    let k = 0;
    while (k < stops.length - 2 && at > stops[k + 1]![0]) k++;
    const [a, b] = [stops[k]!, stops[k + 1]!];
    const t = Math.min(1, Math.max(0, (at - a[0]) / (b[0] - a[0])));
    const [red, green, blue] = [1, 2, 3].map((c) => Math.round(a[c as 1]! + t * (b[c as 1]! - a[c as 1]!)));
    made[i] = (255 << 24) | (blue! << 16) | (green! << 8) | red!;
  }
  return made;
}
const DARK = palette([
  [0, 21, 22, 28],
  [0.25, 35, 36, 74],
  [0.5, 82, 58, 150],
  [0.72, 190, 84, 130],
  [0.88, 246, 160, 90],
  [1, 255, 240, 190],
]);
const LIGHT = palette([
  [0, 252, 251, 249],
  [0.3, 222, 224, 246],
  [0.55, 150, 160, 228],
  [0.75, 82, 86, 190],
  [0.9, 60, 36, 120],
  [1, 36, 12, 56],
]);
