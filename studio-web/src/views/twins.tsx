// Duplicates next to each other: a stretch of all copies plays on one clock, aligned to the sample; one is audible.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { bytes, get, post, result, samples } from "../api";
import { Deck } from "../deck";
import { clock } from "../format";
import { take, transport } from "../player";
import { command, fail, recall, remember, view } from "../state";
import type { Duplicates, Job, Pair, SongRow } from "../types";
import { Empty, JobBar, Slider } from "../parts/controls";
import { Icon } from "../parts/icons";

export const twinDeck = new Deck();
const STRETCH = 20; // seconds that are played
const KEYS = "qwertyuiop";
const twins = signal<Duplicates | null>(null);
const looking = signal("");
const loaded = signal(""); // the group whose audio the deck has
const loading = signal("");
const places = signal<Record<string, number>>({}); // where the stretch of each group begins

interface Copies {
  key: string;
  songs: SongRow[];
  pairs: Pair[];
  /** Seconds of the first copy that all of them share. */
  start: number;
  stop: number;
}

/** Seconds of a copy for a time in the first one: `offset + speed * seconds`. */
interface Line {
  offset: number;
  speed: number;
}

function pairOf(pairs: Pair[], first: SongRow, second: SongRow): Pair | undefined {
  return pairs.find((one) => [one.first, one.second].includes(first.id) && [one.first, one.second].includes(second.id));
}

function copies(songs: SongRow[], pairs: Pair[]): Copies {
  const first = songs[0]!;
  let [start, stop] = [0, first.seconds ?? 0];
  for (const one of songs.slice(1)) {
    const pair = pairOf(pairs, first, one);
    if (!pair || pair.stop <= pair.start) continue;
    const place = (t: number) => (pair.first === first.id ? t : pair.offset + pair.speed * t);
    start = Math.max(start, place(pair.start));
    stop = Math.min(stop, place(pair.stop));
  }
  return { key: songs.map((one) => one.id).join(" "), songs, pairs, start, stop: Math.max(stop, start + 1) };
}

async function lineOf(pairs: Pair[], first: SongRow, one: SongRow): Promise<Line> {
  if (one.id === first.id) return { offset: 0, speed: 1 };
  const pair = pairOf(pairs, first, one);
  if (!pair) return { offset: 0, speed: 1 };
  const { first: a, second: b, offset, speed, start, stop } = pair;
  const found = await get<Line>("/library/align", { first: a, second: b, offset, speed, start, stop });
  return a === first.id ? found : { offset: -found.offset / found.speed, speed: 1 / found.speed };
}

/** Load a stretch of all copies; where a copy has not begun or has ended, it is silent. */
async function load(group: Copies, from: number): Promise<void> {
  const wanted = `${group.key} ${from}`;
  if (loaded.value === wanted) return;
  loading.value = group.key;
  try {
    const first = group.songs[0]!;
    const seconds = Math.min(STRETCH, Math.max(1, group.stop - from));
    const tracks = await Promise.all(
      group.songs
        .filter((one) => one.ref)
        .map(async (one) => {
          const { offset, speed } = await lineOf(group.pairs, first, one);
          const [start, stop] = [offset + speed * from, offset + speed * (from + seconds)];
          const { channels, rate } = await samples(await bytes("/pcm", { song: one.ref!, start: Math.max(0, start), stop }));
          const total = Math.round((stop - start) * rate);
          const shift = Math.max(0, Math.round(-start * rate));
          const placed = channels.map((x) => {
            const made = new Float32Array(total);
            made.set(x.subarray(0, Math.max(0, total - shift)), shift);
            return made;
          });
          return { id: String(one.id), buffer: twinDeck.buffer(placed, rate), gain: 0, speed };
        }),
    );
    twinDeck.clear();
    twinDeck.prepare(tracks[0]!.buffer.sampleRate);
    twinDeck.offset = from;
    twinDeck.title = first.title;
    twinDeck.total = first.seconds ?? 0;
    tracks.forEach((one) => twinDeck.add(one));
    loaded.value = wanted;
  } finally {
    loading.value = "";
  }
}

async function play(group: Copies, one: SongRow): Promise<void> {
  try {
    take(twinDeck);
    await load(group, places.value[group.key] ?? group.start);
    const again = twinDeck.chosen.value === String(one.id) && twinDeck.playing.value;
    twinDeck.choose(String(one.id));
    if (again) twinDeck.pause();
    else if (!twinDeck.playing.value) await twinDeck.play();
  } catch (error) {
    fail(error);
  }
}

/** Q, W, E ... choose a copy while the copies play. */
export function chooseCopy(key: string): boolean {
  const id = transport.value === twinDeck && view.value === "library" ? [...twinDeck.tracks.keys()][KEYS.indexOf(key)] : undefined;
  if (!id) return false;
  twinDeck.choose(id);
  return true;
}

async function move(group: Copies, to: number): Promise<void> {
  places.value = { ...places.value, [group.key]: to };
  if (!loaded.value.startsWith(`${group.key} `)) return;
  const [was, chosen] = [twinDeck.playing.value, twinDeck.chosen.value];
  try {
    await load(group, to);
    twinDeck.choose(chosen);
    if (was) await twinDeck.play();
  } catch (error) {
    fail(error);
  }
}

async function show(job: string): Promise<void> {
  looking.value = job;
  try {
    const made = await result<Duplicates>(job);
    twins.value = made;
    command.value = made.command;
  } catch (error) {
    fail(error);
  } finally {
    looking.value = "";
  }
}

async function run(): Promise<void> {
  try {
    const { job } = await post<{ job: string }>("/library/duplicates");
    remember("library.twins", job);
    await show(job);
  } catch (error) {
    fail(error);
  }
}

/** After a reload: the last result, if the server still has it. */
async function restore(): Promise<void> {
  const job = recall("library.twins", "");
  if (!job || twins.value || looking.value) return;
  try {
    const known = await get<Job>("/job", { id: job });
    if (!["failed", "cancelled"].includes(known.state)) await show(job);
  } catch {
    remember("library.twins", ""); // the server has been started again
  }
}

export function Twins() {
  useEffect(() => void restore(), []);
  const found = twins.value;
  if (looking.value) return <JobBar id={looking.value} label="Looking for duplicates" />;
  if (!found) {
    return (
      <Empty title="The same music twice" action={<button class="primary" onClick={() => void run()}>Find duplicates</button>}>
        <p>Compares the audio, not names or tags. Nothing is deleted.</p>
      </Empty>
    );
  }
  if (!found.groups.length && !found.partial.length) {
    return (
      <Empty title="No duplicates" action={<button onClick={() => void run()}>Look again</button>}>
        <p>Every song of this library is there once.</p>
      </Empty>
    );
  }
  return (
    <div class="twins">
      <p class="muted small-text">All copies of a song play at once, aligned to the sample; choose which one you hear.</p>
      {found.groups.map((group) => (
        <Group key={group[0]!.id} title={group[0]!.title} group={copies(group, found.pairs)} />
      ))}
      {found.partial.length > 0 && <h3>Share a part</h3>}
      {found.partial.map((pair) => (
        <Group key={`${pair.first.id} ${pair.second.id}`} title={`${clock(pair.match.overlap, 0)} in common`} group={copies([pair.first, pair.second], [pair.match])} />
      ))}
    </div>
  );
}

function Group({ title, group }: { title: string; group: Copies }) {
  const here = transport.value === twinDeck && loaded.value.startsWith(`${group.key} `);
  const last = Math.max(group.start, group.stop - Math.min(STRETCH, group.stop - group.start));
  const place = places.value[group.key] ?? group.start;
  return (
    <div class="panel twin-group">
      <h3>{title}</h3>
      {group.songs.map((one) => (
        <Twin key={one.id} one={one} group={group} on={here && twinDeck.chosen.value === String(one.id)} />
      ))}
      {last > group.start && (
        <Slider label="Begin at" value={Math.min(place, last)} min={group.start} max={last} step={0.1} text={clock(place)} disabled={loading.value === group.key} input={(to) => (places.value = { ...places.value, [group.key]: to })} done={(to) => void move(group, to)} />
      )}
      {loading.value === group.key && (
        <p class="muted small-text" role="status">
          Aligning the copies…
        </p>
      )}
    </div>
  );
}

function Twin({ one, group, on }: { one: SongRow; group: Copies; on: boolean }) {
  const playing = on && twinDeck.playing.value;
  const about = [one.seconds === null ? "" : clock(one.seconds), one.artist].filter(Boolean).join(" · ");
  return (
    <div class={`twin ${on ? "chosen" : ""}`}>
      <button class="play small-play" disabled={!one.ref || loading.value === group.key} aria-pressed={on} aria-label={`${playing ? "Pause" : "Play"} ${one.path}`} onClick={() => void play(group, one)}>
        <Icon name={playing ? "pause" : "play"} />
      </button>
      <div>
        <span class="path">{one.path}</span>
        <span class="muted small-text number">
          {about}
          {one.ref ? "" : " · outside the folders of the studio"}
        </span>
      </div>
    </div>
  );
}
