// Variations of a selection: sliders, a preview that begins at once, undo, A/B, seed, export.
import { computed, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { bytes, post, postRaw, result, samples, save, sizes } from "../api";
import { Deck } from "../deck";
import { capital, clock, size, words } from "../format";
import { take } from "../player";
import { command, fail, recall, remember, say, server, song, stored, stretch, view, type Range } from "../state";
import type { Exported, ParameterInfo, Step, VariationInfo } from "../types";
import { Empty, JobBar, Slider } from "../parts/controls";
import { Icon } from "../parts/icons";
import { Waveform } from "../parts/waveform";
import { NoSong, SongHead } from "./song";

export const varyDeck = new Deck();
const VARIED = "variation";
const ORIGINAL = "original";
/** For tests: milliseconds from a change to the first block of its audio. */
export const latency = signal(0);

const model = stored("vary.model", "");
const format = stored("vary.format", "flac");
const steps = signal<Step[]>([]);
const past = signal<Step[][]>([]);
const future = signal<Step[][]>([]);
const busy = signal(false);
const exporting = signal("");
const exported = signal<Exported[]>([]);
/** The stretch whose original is loaded, and that the server has encoded. */
export const ready = signal("");
const wholeSong = signal(true);
let key = "";

const order = computed(() => new Map((server.value?.variations ?? []).map((one, i) => [one.name, i])));

function keep(): void {
  remember(`vary.${key}`, { steps: steps.value, past: past.value.slice(-50), future: future.value.slice(-50), exported: exported.value });
}

function restore(ref: string): void {
  if (key === ref) return;
  key = ref;
  const kept = recall<{ steps: Step[]; past: Step[][]; future: Step[][]; exported?: Exported[] }>(`vary.${ref}`, { steps: [], past: [], future: [] });
  const known = (list: Step[]) => list.filter((one) => order.value.has(one.name));
  steps.value = known(kept.steps);
  past.value = kept.past.map(known);
  future.value = kept.future.map(known);
  exported.value = kept.exported ?? [];
}

function commit(next: Step[]): void {
  if (JSON.stringify(next) === JSON.stringify(committed)) {
    steps.value = next;
    return;
  }
  past.value = [...past.value, committed].slice(-200);
  future.value = [];
  committed = next;
  steps.value = next;
  keep();
}
let committed: Step[] = [];

export function undo(): void {
  const last = past.value.at(-1);
  if (!last) return;
  past.value = past.value.slice(0, -1);
  future.value = [...future.value, committed];
  committed = last;
  steps.value = last;
  keep();
  void preview();
}

export function redo(): void {
  const next = future.value.at(-1);
  if (!next) return;
  future.value = future.value.slice(0, -1);
  past.value = [...past.value, committed];
  committed = next;
  steps.value = next;
  keep();
  void preview();
}

// ---- audio

let stopPreview: AbortController | null = null;
let silent = false; // a preview was asked for, and nothing of it has come
let sent = ""; // the steps of the latest preview
let next = 0; // when the latest change was made while another one's preview was silent

function body(part: Range) {
  return { song: song.value!.ref, start: part.start, stop: part.stop, model: model.value, steps: steps.value };
}

/** Load the original of a stretch and let the server encode it, so that previews begin at once. */
async function prepare(part: Range, stop: AbortSignal): Promise<void> {
  const { ref } = song.value!;
  const wanted = `${ref} ${part.start} ${part.stop} ${model.value}`;
  busy.value = ready.value !== wanted;
  if (!busy.value) return;
  try {
    const response = await bytes("/pcm", { song: ref, start: part.start, stop: part.stop }, stop);
    const { channels, rate } = await samples(response);
    if (stop.aborted) return;
    varyDeck.prepare(rate);
    varyDeck.clear();
    varyDeck.offset = part.start;
    varyDeck.add({ id: ORIGINAL, buffer: varyDeck.buffer(channels, rate), gain: 0 });
    await post("/vary/prepare", { ...body(part), steps: [] }, stop);
    if (!stop.aborted) ready.value = wanted;
  } finally {
    if (!stop.aborted) busy.value = false;
  }
}

/** A slider moves: ask for its audio. While that of an earlier change is silent, the latest one waits for it. */
function ask(): void {
  if (JSON.stringify(steps.value) === sent) return;
  if (silent) next = performance.now();
  else void preview();
}

function begun(): void {
  silent = false;
  if (!next) return;
  const since = next;
  next = 0;
  void preview(since);
}

/** For tests: whether audio is still coming. */
export const coming = signal(false);

/** Fetch the changed selection; its audio is exchanged as soon as there is some, and again as more comes. */
export async function preview(since = performance.now()): Promise<void> {
  if (!song.value) return;
  stopPreview?.abort();
  const stop = (stopPreview = new AbortController());
  const part = stretch.value;
  silent = coming.value = true;
  sent = JSON.stringify(steps.value);
  try {
    await prepare(part, stop.signal);
    if (stop.signal.aborted) return;
    if (steps.value.length === 0) {
      varyDeck.remove(VARIED);
      varyDeck.choose(ORIGINAL);
    } else await stream(await postRaw("/vary/preview", { ...body(part), first: ahead() }, stop.signal), since, stop);
    describe(part).catch(fail);
  } catch (error) {
    fail(error);
  } finally {
    if (stopPreview === stop) {
      coming.value = false;
      begun();
    }
  }
}

/** The sample of the selection that is audible when the preview has come. */
function ahead(): number {
  const rate = varyDeck.tracks.get(ORIGINAL)!.buffer.sampleRate;
  const delay = varyDeck.playing.value ? Math.min(0.4, Math.max(0.05, latency.value / 1000)) : 0;
  const at = varyDeck.position() - varyDeck.offset + delay;
  return Math.round((at % Math.max(varyDeck.length, 0.01)) * rate);
}

async function stream(response: Response, since: number, stop: AbortController): Promise<void> {
  const { count, rate, total } = sizes(response);
  const old = varyDeck.tracks.get(VARIED)?.buffer;
  const same = old && old.length === total && old.numberOfChannels === count;
  // What has not come yet is as it was.
  const channels = Array.from({ length: count }, (_, c) => (same ? old.getChannelData(c).slice() : new Float32Array(total)));
  const reader = response.body!.getReader();
  let place = Number(response.headers.get("x-celesta-first"));
  let [done, shown] = [0, 0];
  let rest = new Uint8Array(0);
  for (;;) {
    const { value, done: end } = await reader.read();
    if (stop.signal.aborted) return;
    if (value) {
      const joined = new Uint8Array(rest.length + value.length);
      joined.set(rest);
      joined.set(value, rest.length);
      const frames = Math.floor(joined.length / (4 * count));
      const data = new Float32Array(joined.buffer, 0, frames * count);
      for (let i = 0; i < frames; i++, place = (place + 1) % total) for (let c = 0; c < count; c++) channels[c]![place] = data[i * count + c]!;
      done += frames;
      rest = joined.slice(frames * count * 4);
    }
    if (end || (shown ? done > 2 * shown : done > 0.3 * rate)) {
      varyDeck.add({ id: VARIED, buffer: varyDeck.buffer(channels, rate), gain: 0 }, !shown);
      if (!shown) latency.value = performance.now() - since;
      shown = done;
      if (shown && !end) begun();
      if (stop.signal.aborted) return;
    }
    if (end) return;
  }
}

let described = 0;

async function describe(part: Range): Promise<void> {
  const mine = ++described;
  const some = steps.value.length > 0;
  const { text } = await post<{ text: string }>("/vary/command", body(part));
  if (mine === described && view.value === "vary") command.value = some ? text : "";
}

/** A slider moves: the preview follows while one drags, and the change becomes one step to undo at the end. */
function moved(next: Step[], done: boolean): void {
  steps.value = next;
  if (done) commit(next);
  ask();
}

async function save_(kind: "audio" | "recipe", one: Exported): Promise<void> {
  try {
    await save(await bytes("/render", { id: kind === "audio" ? one.render : one.recipe_render }));
  } catch (error) {
    fail(error);
  }
}

async function exportSong(): Promise<void> {
  const part = stretch.value;
  try {
    const range = wholeSong.value ? {} : { start: part.start, stop: part.stop };
    const request = { song: song.value!.ref, model: model.value, steps: steps.value, format: format.value, ...range };
    const { job } = await post<{ job: string }>("/vary/export", request);
    exporting.value = job;
    const made = await result<Exported>(job);
    exported.value = [made, ...exported.value].slice(0, 8);
    command.value = made.command;
    keep();
    say(`${made.name} is ready.`);
    await save_("audio", made);
  } catch (error) {
    fail(error);
  } finally {
    exporting.value = "";
  }
}

// ---- the view

export function Vary() {
  const info = song.value;
  const state = server.value!;
  const part = stretch.value;
  useEffect(() => {
    take(varyDeck);
    if (!state.models.some((one) => one.name === model.value && one.available)) model.value = state.default_model;
  }, []);
  useEffect(() => {
    command.value = "";
    if (!info) return;
    restore(info.ref);
    committed = steps.value;
    const timer = setTimeout(() => void preview(), 200);
    return () => clearTimeout(timer);
  }, [info?.ref, part.start, part.stop, model.value]);
  if (!info) return <NoSong />;
  if (part.stop - part.start > state.longest_selection)
    return (
      <section class="view" aria-label="Vary">
        <SongHead />
        <Waveform label="Stretch to vary" height={132} />
        <Empty title="A long selection">
          <p>Select at most {state.longest_selection} s to listen to changes at once. An export can change the whole song.</p>
        </Empty>
      </section>
    );
  const on = varyDeck.chosen.value;
  return (
    <section class="view" aria-label="Vary">
      <SongHead />
      <Waveform label="Stretch to vary" height={132} />
      <div class="tools" role="toolbar" aria-label="Variation">
        <div class="group">
          <button class="quiet" aria-label="Undo" title="Undo (Ctrl Z)" disabled={!past.value.length} onClick={undo}>
            <Icon name="undo" />
          </button>
          <button class="quiet" aria-label="Redo" title="Redo (Ctrl Shift Z)" disabled={!future.value.length} onClick={redo}>
            <Icon name="redo" />
          </button>
        </div>
        <div class="tabs-small" role="group" aria-label="Listen to">
          <button aria-pressed={on === ORIGINAL || !on} onClick={() => varyDeck.choose(ORIGINAL)}>
            A original
          </button>
          <button aria-pressed={on === VARIED} disabled={!steps.value.length} onClick={() => varyDeck.choose(VARIED)}>
            B variation
          </button>
        </div>
        <label class="unit">
          <span class="muted">Model</span>
          <select value={model.value} onChange={(event) => (model.value = event.currentTarget.value)}>
            {state.models
              .filter((one) => one.available)
              .map((one) => (
                <option key={one.name} value={one.name}>
                  {one.name}
                </option>
              ))}
          </select>
        </label>
        <span class="muted number">
          {clock(part.start)} – {clock(part.stop)}
        </span>
        {busy.value && (
          <span class="muted" role="status">
            encoding …
          </span>
        )}
      </div>
      <div class="split">
        <div class="panel-wide effects">
          {state.variations.map((one) => (
            <Effect key={one.name} about={one} />
          ))}
        </div>
        <ExportPanel />
      </div>
    </section>
  );
}

function span(p: ParameterInfo): [number, number, number] {
  const most = Math.max(0.1, stretch.value.stop - stretch.value.start);
  const usual: Record<string, [number, number]> = { factor: [0, 3], sigma: [0, 2], width: [1, 40], times: [1, 8], start: [0, most], keep: [0, most] };
  let [low, high] = usual[p.name] ?? [p.minimum ?? 0, p.maximum ?? 1];
  low = Math.max(low, p.minimum ?? low);
  high = Math.min(high, p.maximum ?? high);
  return [low, high, p.kind === "int" ? 1 : Math.max(0.001, 10 ** Math.floor(Math.log10((high - low) / 80)))];
}

/** The value with which a variation changes nothing, or its default; where a slider begins. */
function neutral(p: ParameterInfo): number {
  const said = /([\d.]+) changes nothing/.exec(p.help);
  return p.default ?? (said ? Number(said[1]) : span(p)[0]);
}

function Effect({ about }: { about: VariationInfo }) {
  const step = steps.value.find((one) => one.name === about.name);
  const settings = Object.fromEntries(about.parameters.map((p) => [p.name, step?.settings[p.name] ?? neutral(p)]));
  const change = (p: ParameterInfo, value: number, done: boolean) => {
    const rest = steps.value.filter((one) => one.name !== about.name);
    const next = [...rest, { name: about.name, settings: { ...settings, [p.name]: value } }];
    moved(next.sort((a, b) => order.value.get(a.name)! - order.value.get(b.name)!), done);
  };
  const off = () => moved(steps.value.filter((one) => one.name !== about.name), true);
  return (
    <fieldset class={`effect ${step ? "on" : ""}`}>
      <legend>{about.name.replaceAll("-", " ")}</legend>
      <p class="muted small-text">{about.summary}</p>
      {about.parameters.map((p) =>
        p.name === "seed" ? (
          <div class="seed" key={p.name}>
            <label class="unit">
              <span>Seed</span>
              <input class="number" type="number" min={0} max={4294967295} value={settings.seed} onChange={(event) => change(p, Math.max(0, Math.round(event.currentTarget.valueAsNumber || 0)), true)} />
            </label>
            <button class="quiet" aria-label="Another seed" title="Another seed" onClick={() => change(p, crypto.getRandomValues(new Uint32Array(1))[0]! % 100_000, true)}>
              <Icon name="dice" />
            </button>
          </div>
        ) : (
          <Slider key={p.name} label={p.name === "value" ? (/^In ([^;]+);/.exec(p.help)?.[1] ?? p.name) : capital(words(p.name))} help={p.help} value={settings[p.name]!} min={span(p)[0]} max={span(p)[1]} step={span(p)[2]} text={String(+settings[p.name]!.toFixed(3))} input={(value) => change(p, value, false)} done={(value) => change(p, value, true)} />
        ),
      )}
      {step && (
        <button class="quiet small effect-off" onClick={off} aria-label={`Remove ${about.name}`}>
          Remove
        </button>
      )}
    </fieldset>
  );
}

function ExportPanel() {
  const state = server.value!;
  const none = steps.value.length === 0;
  return (
    <div class="panel">
      <h3>Export</h3>
      <div class="tabs-small" role="group" aria-label="What to export">
        <button aria-pressed={wholeSong.value} onClick={() => (wholeSong.value = true)}>
          Whole song
        </button>
        <button aria-pressed={!wholeSong.value} onClick={() => (wholeSong.value = false)}>
          Selection
        </button>
      </div>
      <div class="row">
        <label class="unit">
          <span class="muted">Format</span>
          <select value={format.value} onChange={(event) => (format.value = event.currentTarget.value)}>
            {state.formats.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
        <button class="primary" disabled={none || !!exporting.value} onClick={() => void exportSong()}>
          <Icon name="download" /> Export
        </button>
      </div>
      {none && <p class="muted small-text">Move a slider first.</p>}
      {exporting.value && <JobBar id={exporting.value} label="Exporting" />}
      <ul class="exports">
        {exported.value.map((one) => (
          <li key={one.render}>
            <span class="export-name">{one.name}</span>
            <span class="muted small-text number">{size(one.bytes)}</span>
            <button class="quiet small" onClick={() => void save_("audio", one)}>
              Audio
            </button>
            <button class="quiet small" onClick={() => void save_("recipe", one)}>
              Recipe
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
