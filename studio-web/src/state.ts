// What the page shows: kept in the address and in localStorage, so that a reload loses nothing.
import { computed, effect, signal } from "@preact/signals";
import type { SongInfo, State } from "./types";
import { ApiError, get } from "./api";

export type View = "song" | "compare" | "vary" | "library" | "insights";
export const VIEWS: { id: View; name: string; key: string }[] = [
  { id: "song", name: "Song", key: "1" },
  { id: "compare", name: "Compare", key: "2" },
  { id: "vary", name: "Vary", key: "3" },
  { id: "insights", name: "Insights", key: "4" },
  { id: "library", name: "Library", key: "5" },
];

export interface Range {
  start: number;
  stop: number;
}

export const server = signal<State | null>(null);
export const view = signal<View>("song");
export const songRef = signal("");
export const song = signal<SongInfo | null>(null);
export const songError = signal("");
export const selection = signal<Range | null>(null);
export const viewport = signal<Range>({ start: 0, stop: 1 });
export const loop = signal(false);
export const command = signal("");
export const duration = computed(() => song.value?.seconds ?? 0);

/** A signal that localStorage keeps under a name. */
export function stored<T>(name: string, initial: T) {
  let first = initial;
  try {
    const text = localStorage.getItem(`celesta.${name}`);
    if (text !== null) first = JSON.parse(text) as T;
  } catch {
    // unreadable: as if it were not there
  }
  const made = signal<T>(first);
  effect(() => remember(name, made.value));
  return made;
}

export function remember(name: string, value: unknown): void {
  try {
    localStorage.setItem(`celesta.${name}`, JSON.stringify(value));
  } catch {
    // full or forbidden: the page works without
  }
}

export function recall<T>(name: string, initial: T): T {
  try {
    const text = localStorage.getItem(`celesta.${name}`);
    return text === null ? initial : (JSON.parse(text) as T);
  } catch {
    return initial;
  }
}

// ---- the address

function seconds(text: string | null): number | null {
  const value = Number.parseFloat(text ?? "");
  return Number.isFinite(value) && value >= 0 ? value : null;
}

/** View and query of an address, however its characters are encoded. */
function parsed(hash: string): [string, URLSearchParams] {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  return [path, new URLSearchParams(query)];
}

let written = "";

export function readAddress(): void {
  if (location.hash === written) return;
  written = location.hash;
  const [path, given] = parsed(location.hash);
  view.value = VIEWS.find((one) => one.id === path)?.id ?? "song";
  const ref = given.get("song") ?? "";
  const [from, to] = [seconds(given.get("from")), seconds(given.get("to"))];
  const [left, right] = [seconds(given.get("left")), seconds(given.get("right"))];
  if (ref !== songRef.value) void open(ref, true);
  selection.value = from !== null && to !== null && to > from ? { start: from, stop: to } : null;
  wantedViewport = left !== null && right !== null && right > left ? { start: left, stop: right } : null;
  if (wantedViewport && song.value) viewport.value = wantedViewport;
}

let wantedViewport: Range | null = null;
let writing: ReturnType<typeof setTimeout> | undefined;

export function writeAddress(): void {
  const query = new URLSearchParams();
  if (songRef.value) query.set("song", songRef.value);
  if (selection.value) {
    query.set("from", selection.value.start.toFixed(3));
    query.set("to", selection.value.stop.toFixed(3));
  }
  const whole = viewport.value.start <= 0 && viewport.value.stop >= duration.value - 1e-6;
  if (song.value && !whole) {
    query.set("left", viewport.value.start.toFixed(3));
    query.set("right", viewport.value.stop.toFixed(3));
  }
  const text = query.toString();
  const hash = `#/${view.value}${text ? `?${text}` : ""}`;
  if (hash === location.hash) {
    written = hash;
    return;
  }
  const [path, given] = parsed(location.hash);
  const moved = path !== view.value || (given.get("song") ?? "") !== songRef.value;
  written = hash;
  history[moved && location.hash ? "pushState" : "replaceState"](null, "", hash);
}

export function start(): void {
  readAddress();
  addEventListener("hashchange", readAddress);
  addEventListener("popstate", readAddress);
  effect(() => {
    void [view.value, songRef.value, song.value, selection.value, viewport.value];
    clearTimeout(writing);
    writing = setTimeout(writeAddress, 150);
  });
}

// ---- the song

let opening = 0;

export async function open(ref: string, keep = false): Promise<void> {
  const mine = ++opening;
  songRef.value = ref;
  songError.value = "";
  song.value = null;
  if (!keep) {
    selection.value = null;
    wantedViewport = null;
  }
  if (!ref) return;
  try {
    const found = await get<SongInfo>("/song", { song: ref });
    if (mine !== opening) return;
    song.value = found;
    viewport.value = wantedViewport ?? { start: 0, stop: Math.max(found.seconds, 0.01) };
    wantedViewport = null;
    const recent = recall<{ ref: string; name: string }[]>("recent", []);
    remember("recent", [{ ref, name: found.name }, ...recent.filter((one) => one.ref !== ref)].slice(0, 12));
    void follow(mine);
  } catch (error) {
    if (mine === opening) songError.value = (error as ApiError).message;
  }
}

/** Ask for the facts again until the song has been read. */
async function follow(mine: number): Promise<void> {
  while (mine === opening && song.value && !song.value.complete && !song.value.problem) {
    await new Promise((done) => setTimeout(done, 600));
    if (mine !== opening) return;
    try {
      const found = await get<SongInfo>("/song", { song: songRef.value });
      if (mine !== opening) return;
      const whole = viewport.value.stop >= duration.value - 1e-6;
      song.value = found;
      if (whole) viewport.value = { start: viewport.value.start, stop: found.seconds };
    } catch {
      // the connection's own message says it
    }
  }
}

// ---- theme

export type Theme = "auto" | "light" | "dark";
export const theme = stored<Theme>("theme", "auto");
const media = matchMedia("(prefers-color-scheme: dark)");
export const dark = signal(media.matches);
media.addEventListener("change", () => (systemDark.value = media.matches));
const systemDark = signal(media.matches);
effect(() => {
  dark.value = theme.value === "dark" || (theme.value === "auto" && systemDark.value);
  document.documentElement.dataset.theme = dark.value ? "dark" : "light";
});

// ---- messages

export interface Message {
  id: number;
  text: string;
  kind: "error" | "note";
}
export const messages = signal<Message[]>([]);
let messageId = 0;

export function say(text: string, kind: Message["kind"] = "note"): void {
  const one = { id: ++messageId, text, kind };
  messages.value = [...messages.value.filter((old) => old.text !== text), one].slice(-4);
  if (kind === "note") setTimeout(() => dismiss(one.id), 5_000);
}

export function fail(error: unknown): void {
  if ((error as Error).name === "AbortError" || (error as ApiError).status === 499) return;
  say((error as Error).message, "error");
}

export function dismiss(id: number): void {
  messages.value = messages.value.filter((one) => one.id !== id);
}

/** The stretch that is compared or varied: the selection, else up to 10 s from the left of the view. */
export const stretch = computed<Range>(() => {
  if (selection.value) return selection.value;
  const first = Math.min(viewport.value.start, Math.max(0, duration.value - 1));
  return { start: first, stop: Math.min(duration.value, first + 10) };
});
