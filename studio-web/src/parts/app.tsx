// The frame of the page: header, list of songs, view, transport.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { connected } from "../api";
import { player, transport } from "../player";
import { capital, clock } from "../format";
import { duration, loop, selection, server, song, theme, view, VIEWS, type Theme, type View } from "../state";
import { Compare } from "../views/compare";
import { Insights } from "../views/insights";
import { Library } from "../views/library";
import { SongView } from "../views/song";
import { chooseCopy } from "../views/twins";
import { redo, undo, Vary } from "../views/vary";
import { Command, Corner } from "./controls";
import { drawer, Files, take } from "./files";
import { Icon } from "./icons";
import { mark, showAll, showSelection, zoom } from "./waveform";
import { chooseByKey } from "../views/compare";

const help = signal(false);
const dropping = signal(false);
const narrow = signal(false);

function Header() {
  const next: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
  const icon = { auto: "auto", light: "sun", dark: "moon" }[theme.value];
  return (
    <header class="head">
      <button class="quiet only-narrow" aria-label="Songs" aria-expanded={drawer.value} onClick={() => (drawer.value = !drawer.value)}>
        <Icon name="menu" />
      </button>
      <div class="brand">
        <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
          <rect width="32" height="32" rx="8" />
          <path d="M7 13v6M11.5 9v14M16 6v20M20.5 11v10M25 14v4" />
        </svg>
        <h1>celesta</h1>
      </div>
      <nav class="tabs" aria-label="Views">
        {VIEWS.map((one) => (
          <button key={one.id} class={one.id === view.value ? "chosen" : ""} aria-current={one.id === view.value ? "page" : undefined} title={`${one.name} (${one.key})`} onClick={() => (view.value = one.id)}>
            {one.name}
          </button>
        ))}
      </nav>
      <div class="head-end">
        <button class="quiet" aria-label={`Theme: ${theme.value}. Change it`} title={`Theme: ${theme.value}`} onClick={() => (theme.value = next[theme.value])}>
          <Icon name={icon} />
        </button>
        <button class="quiet" aria-label="Keys and help" title="Keys (?)" onClick={() => (help.value = true)}>
          <Icon name="help" />
        </button>
      </div>
    </header>
  );
}

function Bar() {
  const time = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    let frame = 0;
    let shown = "";
    const step = () => {
      const text = clock(transport.value.position());
      if (text !== shown && time.current) time.current.textContent = shown = text;
      frame = requestAnimationFrame(step);
    };
    frame = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame);
  }, []);
  const playing = transport.value.playing.value;
  const here = transport.value === player;
  const none = !song.value && !transport.value.title;
  return (
    <footer class="bar" aria-label="Playback">
      <button class="quiet" aria-label="To the beginning" title="To the beginning" disabled={none} onClick={() => transport.value.seek(transport.value.title ? 0 : (selection.value?.start ?? 0))}>
        <Icon name="start" />
      </button>
      <button class="play" aria-label={playing ? "Pause" : "Play"} title="Play or pause (space)" disabled={none} onClick={() => transport.value.toggle()}>
        <Icon name={playing ? "pause" : "play"} />
      </button>
      <button class={`quiet ${loop.value ? "on" : ""}`} aria-pressed={loop.value} aria-label="Loop" title="Loop the selection (L)" disabled={!here} onClick={() => (loop.value = !loop.value)}>
        <Icon name="loop" />
      </button>
      <div class="bar-time number">
        <span ref={time} data-test="time">
          0:00.0
        </span>
        <span class="muted"> / {clock(transport.value.total || duration.value)}</span>
      </div>
      <div class="bar-song">
        <span class="bar-name">{transport.value.title || (song.value?.tags.title ?? song.value?.name ?? "No song")}</span>
        {!transport.value.title && song.value?.tags.artist && <span class="muted bar-artist">{song.value.tags.artist}</span>}
      </div>
      {selection.value && (
        <span class="chip number bar-selection" title="Selection">
          {clock(selection.value.start)} – {clock(selection.value.stop)}
          <button class="quiet" aria-label="Clear the selection" onClick={() => (selection.value = null)}>
            <Icon name="close" />
          </button>
        </span>
      )}
      <label class="bar-volume" title="Volume">
        <Icon name="volume" />
        <input type="range" min={0} max={1} step={0.01} value={player.volume.value} aria-label="Volume" style={{ "--share": `${player.volume.value * 100}%` }} disabled={!here} onInput={(event) => (player.volume.value = event.currentTarget.valueAsNumber)} />
      </label>
    </footer>
  );
}

const KEYS: [string, string][] = [
  ["Space", "play, pause"],
  ["← →", "move by a fiftieth of the view"],
  ["Shift ← →", "extend the selection"],
  ["[ ]", "begin or end the selection at the cursor"],
  ["Esc", "clear the selection"],
  ["L", "loop"],
  ["+ −", "zoom"],
  ["0, S", "whole song, the selection"],
  ["1 … 5", "views"],
  ["Q W E …", "Compare: the original, the first version, the second …; Duplicates: the copies"],
  ["Ctrl Z, Ctrl Shift Z", "Vary: undo, redo"],
  ["Wheel, Shift wheel", "zoom, move"],
];

function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (help.value && !dialog.current!.open) dialog.current!.showModal();
  }, [help.value]);
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="help-title" onClose={() => (help.value = false)}>
      <div class="dialog-head">
        <h2 id="help-title">Keys</h2>
        <button class="quiet" aria-label="Close" onClick={() => dialog.current!.close()}>
          <Icon name="close" />
        </button>
      </div>
      <dl class="keys">
        {KEYS.map(([key, text]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{capital(text)}</dd>
          </div>
        ))}
      </dl>
      <p class="muted">
        Celesta {server.value?.version}. Nothing leaves this computer. Open more: <code>{server.value?.command}</code>
      </p>
    </dialog>
  );
}

function keys(event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  if (document.querySelector("dialog[open]")) return;
  const typing = target.matches("input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select");
  if (typing) return;
  if (event.ctrlKey || event.metaKey) {
    if (view.value === "vary" && event.key.toLowerCase() === "z") {
      event.preventDefault();
      (event.shiftKey ? redo : undo)();
    }
    return;
  }
  if (event.altKey) return;
  const number = VIEWS.find((one) => one.key === event.key);
  const acts: Record<string, () => void> = {
    l: () => (loop.value = !loop.value),
    "+": () => zoom(0.5),
    "=": () => zoom(0.5),
    "-": () => zoom(2),
    "0": showAll,
    s: showSelection,
    "[": () => mark("start"),
    "]": () => mark("stop"),
    "?": () => (help.value = true),
  };
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.key === " " && !target.matches("button, a, input, summary")) transport.value.toggle();
  else if (number) view.value = number.id;
  else if (chooseByKey(name) || chooseCopy(name)) void 0;
  else if (acts[name]) acts[name]!();
  else return;
  event.preventDefault();
}

export function App() {
  useEffect(() => {
    addEventListener("keydown", keys);
    const media = matchMedia("(max-width: 900px)");
    narrow.value = media.matches;
    media.addEventListener("change", () => (narrow.value = media.matches));
    const over = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      dropping.value = event.type === "dragover";
    };
    const drop = (event: DragEvent) => {
      if (!event.dataTransfer?.files.length) return;
      event.preventDefault();
      dropping.value = false;
      void take(event.dataTransfer.files);
    };
    addEventListener("dragover", over);
    addEventListener("dragleave", over);
    addEventListener("drop", drop);
  }, []);
  const views: Record<View, () => preact.JSX.Element> = { song: SongView, compare: Compare, vary: Vary, insights: Insights, library: Library };
  const Current = views[view.value];
  const withFiles = view.value !== "library";
  return (
    <div class={`frame ${withFiles ? "" : "frame-wide"}`}>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), document.getElementById("main")!.focus())}>
        To the content
      </a>
      <Header />
      {!connected.value && (
        <div class="banner" role="alert">
          The studio does not answer. Start it again in the terminal; this page goes on by itself.
        </div>
      )}
      {withFiles && <Files />}
      {withFiles && drawer.value && <button class="shade" aria-label="Close the list of songs" onClick={() => (drawer.value = false)} />}
      <main id="main" tabIndex={-1}>
        {server.value && <Current />}
        <Command />
      </main>
      <Bar />
      <Corner />
      <Help />
      <p id="wave-keys" class="hidden">
        Arrow keys move, Shift and arrow keys select, plus and minus zoom, 0 shows the whole song.
      </p>
      {dropping.value && <div class="drop">Drop audio files to open them</div>}
    </div>
  );
}
