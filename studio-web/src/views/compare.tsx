// Reconstructions against the original, switched on one clock; ladder of bitrates; difference; ABX.
import { computed, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { bytes, get, partial, post, result } from "../api";
import { Deck } from "../deck";
import { clock, number } from "../format";
import { take } from "../player";
import { command, fail, recall, remember, selection, server, song, stored, stretch, view, type Range } from "../state";
import type { Choice, Comparison, Job, Version } from "../types";
import { Empty, JobBar, Menu, Slider, Switch } from "../parts/controls";
import { Icon } from "../parts/icons";
import { Waveform } from "../parts/waveform";
import { NoSong, SongHead } from "./song";
import { Abx, abxKey, abxOpen } from "./abx";
import { BandChart } from "./bands";

export const compareDeck = new Deck();
type Mode = "versions" | "ladder";
interface Kept {
  job: string;
  song: string;
  part: Range;
  mode: Mode;
}

const mode = stored<Mode>("compare.mode", "versions");
const choices = stored<Choice[]>("compare.choices", []);
const running = signal("");
const found = signal<Comparison | null>(null);
const foundFor = signal<Kept | null>(null);
const difference = signal(false);
const loud = signal(20);
const KEYS = "qwertyuiop";

const list = computed<Version[]>(() => (found.value ? [found.value.original, ...found.value.versions] : []));
/** The version that is chosen, also while its difference is what one listens to. */
const chosenName = computed(() => compareDeck.chosen.value.replace(/^difference: /, ""));

export function chooseByKey(key: string): boolean {
  if (view.value !== "compare") return false;
  if (abxOpen.value) return abxKey(key);
  const i = KEYS.indexOf(key);
  const ladder = foundFor.value?.mode === "ladder";
  if (i < 0 || ladder || !list.value[i]) return false;
  choose(list.value[i]!.name);
  return true;
}

function choose(name: string): void {
  command.value = list.value.find((one) => one.name === name)?.command ?? found.value?.command ?? "";
  if (difference.value && name !== "original") return listenToDifference(name);
  difference.value = false;
  compareDeck.choose(name);
}

/** Make the difference of a version and the original a track, amplified. */
function listenToDifference(name: string): void {
  const [a, b] = [compareDeck.tracks.get("original"), compareDeck.tracks.get(name)];
  if (!a || !b) return;
  const amplify = 10 ** (loud.value / 20);
  const channels = Array.from({ length: a.buffer.numberOfChannels }, (_, c) => {
    const [x, y] = [a.buffer.getChannelData(c), b.buffer.getChannelData(Math.min(c, b.buffer.numberOfChannels - 1))];
    return x.map((value, i) => Math.max(-1, Math.min(1, (value - (y[i] ?? 0)) * amplify)));
  });
  for (const id of [...compareDeck.tracks.keys()]) if (id.startsWith("difference: ")) compareDeck.remove(id);
  const id = `difference: ${name}`;
  compareDeck.add({ id, buffer: compareDeck.buffer(channels, a.buffer.sampleRate), gain: 0 });
  compareDeck.choose(id);
}

/** Load the audio of versions that the deck lacks. */
async function load(made: Comparison, part: Range, loading: string): Promise<void> {
  compareDeck.prepare(made.original.sample_rate);
  compareDeck.offset = part.start;
  for (const one of [made.original, ...made.versions]) {
    if (compareDeck.has(one.name)) continue;
    const response = await bytes("/render", { id: one.render });
    const data = new Float32Array(await response.arrayBuffer());
    if (current !== loading) return;
    const n = data.length / one.channels;
    const channels = Array.from({ length: one.channels }, (_, c) => data.slice(c * n, (c + 1) * n));
    compareDeck.add({ id: one.name, buffer: compareDeck.buffer(channels, one.sample_rate), gain: one.gain });
  }
}

let current = "";

async function show(kept: Kept): Promise<void> {
  current = kept.job;
  compareDeck.clear();
  difference.value = false;
  found.value = null;
  foundFor.value = kept;
  running.value = kept.job;
  let queue = Promise.resolve();
  const more = (made: Comparison) => {
    if (current !== kept.job) return;
    found.value = made;
    if (view.value === "compare") command.value = made.command;
    queue = queue.then(() => load(made, kept.part, kept.job)).catch(fail);
  };
  const end = partial<Comparison>(kept.job, more);
  try {
    const made = await result<Comparison>(kept.job);
    more(made);
    await queue;
    for (const one of made.failures) fail(new Error(one.error));
  } catch (error) {
    if (current === kept.job && !found.value) foundFor.value = null;
    fail(error);
  } finally {
    end();
    if (current === kept.job) running.value = "";
  }
}

async function run(): Promise<void> {
  const part = stretch.value;
  const ref = song.value!.ref;
  try {
    const body = { song: ref, start: part.start, stop: part.stop };
    const started =
      mode.value === "ladder"
        ? await post<{ job: string }>("/ladder", { ...body, model: ladderModel() })
        : await post<{ job: string }>("/compare", { ...body, choices: choices.value });
    const kept: Kept = { job: started.job, song: ref, part, mode: mode.value };
    remember("compare.kept", kept);
    await show(kept);
  } catch (error) {
    fail(error);
  }
}

function ladderModel(): string {
  const wanted = choices.value.map((one) => one.model).find((name) => server.value!.models.some((m) => m.name === name && m.scalable));
  return wanted ?? server.value!.default_model;
}

/** After a reload: the last comparison, if the server still has it. */
async function restore(): Promise<void> {
  const kept = recall<Kept | null>("compare.kept", null);
  if (!kept || current || kept.song !== song.value?.ref) return;
  try {
    const job = await get<Job>("/job", { id: kept.job });
    if (job.state !== "failed" && job.state !== "cancelled" && !current) await show(kept);
  } catch {
    remember("compare.kept", null);
  }
}

export function Compare() {
  const info = song.value;
  const state = server.value!;
  useEffect(() => {
    take(compareDeck);
    if (choices.value.length === 0) {
      const model = state.default_model;
      choices.value = [6, 12, 24].map((kbps) => ({ model, kbps }));
    }
  }, []);
  useEffect(() => {
    command.value = "";
    if (!info) return;
    if (foundFor.value && foundFor.value.song !== info.ref) {
      current = "";
      found.value = foundFor.value = null;
      compareDeck.clear();
    }
    if (found.value) command.value = found.value.command;
    else void restore();
  }, [info?.ref]);
  if (!info) return <NoSong />;
  const part = stretch.value;
  const kept = foundFor.value;
  const stale = kept && (kept.part.start !== part.start || kept.part.stop !== part.stop) && selection.value;
  const tooLong = part.stop - part.start > state.longest_selection;
  return (
    <section class="view" aria-label="Compare">
      <SongHead />
      <Waveform label="Stretch to compare" height={132} />
      <div class="split">
        <div class="panel">
          <div class="tabs-small" role="group" aria-label="What to compare">
            <button aria-pressed={mode.value === "versions"} onClick={() => (mode.value = "versions")}>
              Versions
            </button>
            <button aria-pressed={mode.value === "ladder"} onClick={() => (mode.value = "ladder")}>
              All bitrates
            </button>
          </div>
          {mode.value === "versions" ? <Choices /> : <p class="muted">One scalable file of {ladderModel()}, cut to each bitrate. A slider runs through them while it plays.</p>}
          <button class="primary" disabled={!!running.value || tooLong || (mode.value === "versions" && choices.value.length === 0)} onClick={() => void run()}>
            Compare {clock(part.start)} – {clock(part.stop)}
          </button>
          {tooLong && <p class="warning">Select at most {state.longest_selection} s.</p>}
          {stale && !running.value && <p class="muted small-text">The selection has changed since this comparison.</p>}
          {running.value && <JobBar id={running.value} label="Comparing" />}
        </div>
        <div class="panel panel-wide">{found.value ? kept?.mode === "ladder" ? <Ladder /> : <Results /> : <Nothing />}</div>
      </div>
    </section>
  );
}

function Nothing() {
  if (running.value) return <div class="loading" role="status" aria-label="Computing" />;
  return (
    <Empty title="Listen to the difference">
      <p>Drag over the waveform to select a few seconds, choose models and bitrates, then press Compare. All versions play at once, and you switch between them without a gap.</p>
    </Empty>
  );
}

function Choices() {
  const state = server.value!;
  const change = (i: number, one: Choice) => (choices.value = choices.value.map((old, k) => (k === i ? one : old)));
  const rated = (name: string) => state.peers.includes(name) || !!state.models.find((m) => m.name === name)?.scalable;
  const add = (name: string) => (choices.value = [...choices.value, rated(name) ? { model: name, kbps: 12 } : { model: name }].slice(0, 9));
  const options = [...state.models.filter((m) => m.available).map((m) => ({ id: m.name, name: `${m.name} – ${m.role}` })), ...state.peers.map((p) => ({ id: p, name: `${p} – by ffmpeg` }))];
  return (
    <div class="choices">
      <ul>
        {choices.value.map((one, i) => (
          <li key={i}>
            <span class="choice-name">{one.model}</span>
            {rated(one.model) ? (
              <label class="unit">
                <select aria-label={`Bitrate of ${one.model}`} value={one.kbps ?? 12} onChange={(event) => change(i, { ...one, kbps: Number(event.currentTarget.value) })}>
                  {state.ladder.map((k) => (
                    <option key={k} value={k}>
                      {k}
                    </option>
                  ))}
                </select>
                <span class="muted">kbit/s</span>
              </label>
            ) : (
              <label class="unit">
                <select aria-label={`Bits of ${one.model}`} value={one.bits ?? 0} onChange={(event) => change(i, { model: one.model, bits: Number(event.currentTarget.value) || undefined })}>
                  <option value={0}>float</option>
                  {[4, 6, 8, 12].map((b) => (
                    <option key={b} value={b}>
                      {b} bits
                    </option>
                  ))}
                </select>
              </label>
            )}
            <button class="quiet" aria-label={`Remove ${one.model}`} onClick={() => (choices.value = choices.value.filter((_, k) => k !== i))}>
              <Icon name="close" />
            </button>
          </li>
        ))}
      </ul>
      <Menu label="Add a version" icon="add" options={options} choose={add} />
    </div>
  );
}

function Options() {
  const can = chosenName.value !== "original";
  return (
    <div class="tools" role="toolbar" aria-label="Listening">
      <Switch
        on={compareDeck.matched.value}
        label="Same loudness"
        title="EBU R 128: each version has the original's loudness"
        change={(on) => {
          compareDeck.matched.value = on;
          compareDeck.levels();
        }}
      />
      <Switch
        on={difference.value}
        label={`Difference, +${loud.value} dB`}
        title={can ? "Listen to what the version lacks" : "Choose a version first"}
        change={(on) => {
          const name = can ? chosenName.value : (found.value!.versions[0]?.name ?? "original");
          difference.value = on;
          choose(name);
        }}
      />
      <button disabled={!found.value?.versions.length} onClick={() => (abxOpen.value = true)}>
        Blind test (ABX)
      </button>
    </div>
  );
}

function Results() {
  const versions = list.value;
  return (
    <>
      <Options />
      <div class="table-wrap">
        <table class="versions">
          <caption class="hidden">Versions with their figures; choose one to listen to it</caption>
          <thead>
            <tr>
              <th scope="col">Version</th>
              <th scope="col">kbit/s</th>
              <th scope="col" title="Scale-invariant signal-to-distortion ratio; more is nearer">
                SI-SDR, dB
              </th>
              <th scope="col" title="Multi-scale mel distance; less is nearer">
                Mel
              </th>
              <th scope="col">LUFS</th>
            </tr>
          </thead>
          <tbody>
            {versions.map((one, i) => {
              const on = chosenName.value === one.name;
              return (
                <tr key={one.name} class={on ? "chosen" : ""}>
                  <th scope="row">
                    <button class="version" aria-pressed={on} disabled={!compareDeck.has(one.name) && !running.value} onClick={() => choose(one.name)}>
                      <kbd>{KEYS[i]?.toUpperCase() ?? ""}</kbd>
                      <span>{one.name}</span>
                    </button>
                  </th>
                  <td>{one.kbps ? number(one.kbps, one.kbps < 100 ? 1 : 0) : "–"}</td>
                  <td>{number(one.si_sdr)}</td>
                  <td>{number(one.mel, 2)}</td>
                  <td>{number(one.loudness)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <BandChart versions={found.value!.versions} chosen={chosenName.value} />
      <Abx deck={compareDeck} versions={found.value!.versions} />
    </>
  );
}

function Ladder() {
  const versions = found.value!.versions;
  const steps = [...versions, found.value!.original];
  const at = Math.max(0, steps.findIndex((one) => one.name === chosenName.value));
  const one = steps[at]!;
  const rate = (version: Version) => (version.kbps ? `${number(version.kbps, version.kbps < 10 ? 1 : 0)} kbit/s` : "original");
  return (
    <>
      <Options />
      <div class="ladder">
        <div class="ladder-now number" aria-hidden="true">
          {rate(one)}
        </div>
        <Slider label="Bitrate" value={at} min={0} max={Math.max(1, steps.length - 1)} step={1} text={rate(one)} input={(i) => choose(steps[i]!.name)} />
        <div class="ladder-ends muted small-text">
          <span>{versions[0] ? rate(versions[0]) : ""}</span>
          <span>original</span>
        </div>
        <dl class="figures">
          <div>
            <dt>SI-SDR</dt>
            <dd>{number(one.si_sdr)} dB</dd>
          </div>
          <div>
            <dt>Mel distance</dt>
            <dd>{number(one.mel, 2)}</dd>
          </div>
          <div>
            <dt>Loudness</dt>
            <dd>{number(one.loudness)} LUFS</dd>
          </div>
        </dl>
      </div>
      <BandChart versions={versions} chosen={chosenName.value} />
      <Abx deck={compareDeck} versions={versions} />
    </>
  );
}
