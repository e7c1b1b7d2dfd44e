// What is predicted of a song: genre, mood as a path, tags over time, structure.
import { computed, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { get, post, result } from "../api";
import { capital, clock, percent, words } from "../format";
import { player, take, transport } from "../player";
import { command, fail, recall, remember, selection, song, view, viewport } from "../state";
import type { Job, Prediction, Structure } from "../types";
import { Empty, JobBar } from "../parts/controls";
import { Waveform } from "../parts/waveform";
import { NoSong, SongHead } from "./song";

const found = signal<Prediction | null>(null);
const foundFor = signal("");
const running = signal("");
const structure = signal<Structure | null>(null);
const finding = signal("");
let tried = ""; // the song whose sections were asked for
const SHORT = 20 * 60; // seconds of a song whose sections are found without being asked for

async function show(ref: string, job: string): Promise<void> {
  running.value = job;
  try {
    const made = await result<Prediction>(job);
    if (song.value?.ref !== ref) return;
    found.value = made;
    if (view.value === "insights") command.value = made.command;
  } catch (error) {
    fail(error);
  } finally {
    if (running.value === job) running.value = "";
  }
}

async function run(): Promise<void> {
  const ref = song.value!.ref;
  try {
    const { job } = await post<{ job: string }>("/predict", { song: ref });
    remember("insights.jobs", { ...recall<Record<string, string>>("insights.jobs", {}), [ref]: job });
    await show(ref, job);
  } catch (error) {
    fail(error);
  }
}

async function restore(ref: string): Promise<void> {
  const job = recall<Record<string, string>>("insights.jobs", {})[ref];
  if (!job || running.value) return;
  try {
    const known = await get<Job>("/job", { id: job });
    if (known.state !== "failed" && known.state !== "cancelled") await show(ref, job);
  } catch {
    // the server has been started again: one can ask anew
  }
}

/** Find the sections of a song. */
async function divide(ref: string): Promise<void> {
  tried = ref;
  try {
    const { job } = await post<{ job: string }>("/structure", { song: ref });
    finding.value = job;
    const made = await result<Structure>(job);
    if (song.value?.ref !== ref) return;
    structure.value = made;
    if (view.value === "insights" && !found.value) command.value = made.command;
  } catch (error) {
    fail(error);
  } finally {
    finding.value = "";
  }
}

const parts = computed(() => structure.value?.segments ?? []);

export function Insights() {
  const info = song.value;
  useEffect(() => take(player), []);
  useEffect(() => {
    if (info && foundFor.value !== info.ref) {
      found.value = structure.value = null;
      foundFor.value = info.ref;
      tried = "";
      void restore(info.ref);
    }
    command.value = (found.value ?? structure.value)?.command ?? "";
  }, [info?.ref]);
  useEffect(() => {
    if (info && info.seconds <= SHORT && !info.problem && tried !== info.ref && !finding.value) void divide(info.ref);
  }, [info?.ref, finding.value]);
  if (!info) return <NoSong />;
  const made = found.value;
  return (
    <section class="view" aria-label="Insights">
      <SongHead />
      <Waveform label="Position in the song" height={132} />
      <Parts found={structure.value} long={info.seconds > SHORT} />
      {made?.status === "analysed" && <Tags made={made} />}
      {made ? (
        made.status === "analysed" ? (
          <div class="insights">
            <Bars title="Genre" values={made.probabilities.genre} />
            <MoodPlane made={made} />
            <Bars title="Tags" values={made.probabilities.tags} />
          </div>
        ) : (
          <Empty title="Nothing to predict">
            <p>{made.reason}</p>
          </Empty>
        )
      ) : running.value ? (
        <div class="panel">
          <JobBar id={running.value} label="Predicting" />
        </div>
      ) : (
        <Empty title="Genre, mood and tags" action={<button class="primary" onClick={() => void run()}>Predict</button>}>
          <p>Celesta's predictors read the whole song and every ten seconds of it. A song of four minutes takes some seconds.</p>
        </Empty>
      )}
    </section>
  );
}

function Parts({ found, long }: { found: Structure | null; long: boolean }) {
  if (finding.value) return <JobBar id={finding.value} label="Finding the sections" />;
  if (!found) {
    if (!long) return null;
    return (
      <div>
        <button onClick={() => void divide(song.value!.ref)}>Find the sections</button>
      </div>
    );
  }
  if (parts.value.length < 2) return <p class="muted small-text">One section: the song is short, or it does not change.</p>;
  return (
    <Strip label="Sections">
      {(x) =>
        parts.value.filter((one) => x(one.stop) > x(one.start)).map((one) => (
          <button
            key={one.start}
            class={`part part-${(one.label.charCodeAt(0) - 65) % 6}`}
            style={{ left: `${x(one.start)}%`, width: `${x(one.stop) - x(one.start)}%` }}
            title={`Section ${one.label}, ${clock(one.start, 0)} to ${clock(one.stop, 0)}`}
            aria-label={`Section ${one.label}, ${clock(one.start, 0)} to ${clock(one.stop, 0)}: select it`}
            onClick={() => {
              selection.value = { start: one.start, stop: one.stop };
              transport.value.seek(one.start);
              command.value = found.command;
            }}
          >
            {one.label}
          </button>
        ))
      }
    </Strip>
  );
}

/** A row under the waveform with its time axis. */
function Strip({ label, children }: { label: string; children: (x: (seconds: number) => number) => preact.ComponentChildren }) {
  const { start, stop } = viewport.value;
  const x = (seconds: number) => Math.min(100, Math.max(0, ((seconds - start) / (stop - start)) * 100));
  return (
    <div class="strip" role="group" aria-label={label}>
      <span class="strip-label">{label}</span>
      <div class="strip-body">{children(x)}</div>
    </div>
  );
}

function Tags({ made }: { made: Prediction }) {
  const rows = made.over_time.tags;
  const names = made.classes.tags;
  if (!rows || !names || rows.length < 2) return null;
  const means = names.map((name, i) => ({ name, i, mean: rows.reduce((sum, row) => sum + (row[i] ?? 0), 0) / rows.length }));
  const top = means.sort((a, b) => b.mean - a.mean).slice(0, 6);
  return (
    <div class="strips">
      {top.map((tag) => (
        <Strip key={tag.name} label={capital(words(tag.name))}>
          {(x) =>
            rows.map((row, k) => {
              const [from, to] = [made.times[k]!, made.times[k + 1] ?? made.duration];
              const p = row[tag.i] ?? 0;
              return <span key={k} class="heat" title={`${capital(words(tag.name))} ${percent(p)} at ${clock(from, 0)}`} style={{ left: `${x(from)}%`, width: `${x(to) - x(from)}%`, opacity: 0.06 + 0.94 * p }} />;
            })
          }
        </Strip>
      ))}
      <p class="hidden">{top.map((tag) => `${tag.name}: ${rows.map((row, k) => `${percent(row[tag.i] ?? 0)} at ${clock(made.times[k]!, 0)}`).join(", ")}`).join(". ")}</p>
    </div>
  );
}

function Bars({ title, values }: { title: string; values?: Record<string, number> }) {
  if (!values) return null;
  const sorted = Object.entries(values)
    .sort((a, b) => b[1] - a[1])
    .slice(0, 8);
  return (
    <div class="panel">
      <h3>{title}</h3>
      <ul class="bars">
        {sorted.map(([name, p]) => (
          <li key={name}>
            <span>{capital(words(name))}</span>
            <span class="bar-track" aria-hidden="true">
              <span style={{ width: `${p * 100}%` }} />
            </span>
            <span class="number">{percent(p)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

const SIDE = 300;

/** Valence and arousal of each stretch as a path; a dot goes along while the song plays. */
function MoodPlane({ made }: { made: Prediction }) {
  const dot = useRef<SVGCircleElement>(null);
  const at = (place: [number, number]): [number, number] => [SIDE / 2 + place[0] * (SIDE / 2 - 26), SIDE / 2 - place[1] * (SIDE / 2 - 26)];
  const known = made.plane.map((place, i) => ({ place, time: made.times[i]! })).filter((one) => one.place !== null);
  useEffect(() => {
    let frame = 0;
    const step = () => {
      const now = transport.value.position();
      const k = Math.max(0, known.findIndex((one, i) => one.time <= now && (known[i + 1]?.time ?? Infinity) > now));
      const [a, b] = [known[k], known[k + 1]];
      if (a && dot.current) {
        const t = b ? Math.min(1, Math.max(0, (now - a.time) / (b.time - a.time))) : 0;
        const [p, q] = [at(a.place!), at((b ?? a).place!)];
        dot.current.setAttribute("cx", String(p[0] + t * (q[0] - p[0])));
        dot.current.setAttribute("cy", String(p[1] + t * (q[1] - p[1])));
      }
      frame = requestAnimationFrame(step);
    };
    frame = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame);
  }, [made]);
  if (!made.plane.length && made.valence === undefined) return null;
  const said = made.valence === undefined ? "" : `valence ${made.valence.toFixed(2)}, arousal ${made.arousal!.toFixed(2)}`;
  const points = known.map((one) => at(one.place!));
  return (
    <div class="panel mood">
      <h3>Mood</h3>
      <svg viewBox={`0 0 ${SIDE} ${SIDE}`} role="img" aria-label={`Mood of the song: ${said}. The path shows each stretch.`}>
        <rect class="plane" x={1} y={1} width={SIDE - 2} height={SIDE - 2} rx={8} />
        <path class="grid" d={`M${SIDE / 2} 12V${SIDE - 12}M12 ${SIDE / 2}H${SIDE - 12}`} />
        <text x={SIDE - 14} y={24} text-anchor="end">
          happy
        </text>
        <text x={14} y={24}>angry</text>
        <text x={14} y={SIDE - 14}>sad</text>
        <text x={SIDE - 14} y={SIDE - 14} text-anchor="end">
          calm
        </text>
        {points.slice(1).map((p, i) => (
          <line key={i} class="path" x1={points[i]![0]} y1={points[i]![1]} x2={p[0]} y2={p[1]} style={{ opacity: 0.35 + (0.65 * (i + 1)) / points.length }} />
        ))}
        {points.map((p, i) => (
          <circle key={i} class="stop" cx={p[0]} cy={p[1]} r={3}>
            <title>{clock(known[i]!.time, 0)}</title>
          </circle>
        ))}
        {made.valence !== undefined && <circle class="mean" cx={at([made.valence, made.arousal!])[0]} cy={at([made.valence, made.arousal!])[1]} r={10} />}
        <circle ref={dot} class="now" r={6} cx={points[0]?.[0] ?? -20} cy={points[0]?.[1] ?? -20} />
      </svg>
      <p class="muted small-text number">{said}</p>
    </div>
  );
}
