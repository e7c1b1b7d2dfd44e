// A library of songs: table, map, similar songs with the reason, playlists, duplicates.
import { computed, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { get, post, postRaw, result, save } from "../api";
import { clock, number } from "../format";
import { player, take } from "../player";
import { command, fail, open, say, server, songRef, stored } from "../state";
import type { LibraryInfo, Segment, SimilarRow, SongRow } from "../types";
import { Empty } from "../parts/controls";
import { Icon } from "../parts/icons";
import { MapView } from "./map";
import { Twins } from "./twins";

type Tab = "table" | "map" | "duplicates";
interface Filters {
  text: string;
  key: string;
  mood: string;
  genre: string;
  tempo: string;
}

const NO_FILTERS: Filters = { text: "", key: "", mood: "", genre: "", tempo: "" };
const ROW = 40;

export const info = signal<LibraryInfo | null>(null);
const problem = signal("");
const tab = stored<Tab>("library.tab", "table");
const filters = stored<Filters>("library.filters", NO_FILTERS);
export const rows = signal<SongRow[] | null>(null);
const listCommand = signal("");
const sort = stored<{ by: keyof SongRow; up: boolean } | null>("library.sort", null);
export const chosen = stored<number>("library.chosen", 0);
const similar = signal<SimilarRow[] | null>(null);
const similarProblem = signal("");
const segments = signal<Segment[]>([]);
const part = signal<Segment | null>(null); // the part that others are compared with; null: the whole song
const by = stored("library.by", "");
export const playlist = stored<number[]>("library.playlist", []);
const pathFrom = signal(0);
const all = signal<Map<number, SongRow>>(new Map());

const COLUMNS: { id: keyof SongRow; name: string; number?: boolean; show: (one: SongRow) => string }[] = [
  { id: "title", name: "Title", show: (one) => one.title },
  { id: "artist", name: "Artist", show: (one) => one.artist },
  { id: "genre", name: "Genre", show: (one) => one.genre },
  { id: "mood", name: "Mood", show: (one) => one.mood },
  { id: "tempo", name: "Tempo", number: true, show: (one) => (one.tempo ? one.tempo.toFixed(0) : "–") },
  { id: "key", name: "Key", show: (one) => one.key.replace(" major", "").replace(" minor", "m") },
  { id: "seconds", name: "Length", number: true, show: (one) => (one.seconds === null ? "–" : clock(one.seconds, 0)) },
];

const sorted = computed<SongRow[]>(() => {
  const list = rows.value ?? [];
  const how = sort.value;
  if (!how) return list;
  const sign = how.up ? 1 : -1;
  return [...list].sort((a, b) => {
    const [x, y] = [a[how.by], b[how.by]];
    if (x === y) return 0;
    if (x === null || x === "") return 1;
    if (y === null || y === "") return -1;
    return sign * (typeof x === "string" ? x.localeCompare(String(y)) : Number(x) - Number(y));
  });
});

let asked = 0;
async function list(): Promise<void> {
  const mine = ++asked;
  try {
    const found = await get<{ songs: SongRow[]; command: string }>("/library/songs", { ...filters.value });
    if (mine !== asked) return;
    rows.value = found.songs;
    listCommand.value = command.value = found.command;
    const known = new Map(all.value);
    found.songs.forEach((one) => known.set(one.id, one));
    all.value = known;
    problem.value = "";
  } catch (error) {
    if (mine === asked) problem.value = (error as Error).message;
  }
}

/** Choose a song, or a part of it, and find what is like it. */
export async function pick(id: number, piece: Segment | null = null): Promise<void> {
  const fresh = chosen.value !== id || !segments.value.length;
  chosen.value = id;
  part.value = piece;
  similar.value = null;
  similarProblem.value = "";
  const mine = () => chosen.value === id && part.value === piece;
  try {
    if (fresh) {
      segments.value = [];
      void get<{ segments: Segment[] }>("/library/segments", { id }).then((found) => chosen.value === id && (segments.value = found.segments), fail);
    }
    const ref = all.value.get(id)?.ref;
    const what = piece && ref ? { song: ref, start: piece.start, stop: piece.stop } : { id };
    const found = await get<{ found: SimilarRow[]; command: string }>("/library/similar", { ...what, by: by.value, n: 20 });
    if (!mine()) return;
    similar.value = found.found.filter((one) => one.song.id !== id);
    command.value = found.command;
  } catch (error) {
    if (!mine()) return;
    similar.value = [];
    similarProblem.value = (error as Error).message;
  }
}

export function playSong(one: SongRow, from?: number): void {
  if (!one.ref) {
    say(one.missing ? "The file of this song is gone. Update the library." : "This file lies outside the folders of the studio.", "error");
    return;
  }
  take(player);
  const start = () => {
    if (from !== undefined) player.seek(from);
    player.element.play().catch(fail);
  };
  if (songRef.value === one.ref && from === undefined) player.toggle();
  else if (songRef.value === one.ref) start();
  else void open(one.ref).then(start);
}

function add(id: number, place = playlist.value.length): void {
  const rest = playlist.value.filter((one) => one !== id);
  rest.splice(Math.min(place, rest.length), 0, id);
  playlist.value = rest;
}

export function Library() {
  useEffect(() => {
    take(player);
    command.value = listCommand.value;
    if (!server.value!.library) return;
    get<LibraryInfo>("/library").then((found) => (info.value = found), fail);
    if (chosen.value && !similar.value) void pick(chosen.value);
  }, []);
  useEffect(() => {
    if (!server.value!.library) return;
    const timer = setTimeout(() => void list(), rows.value ? 200 : 0);
    return () => clearTimeout(timer);
  }, [filters.value]);
  if (!server.value!.library) {
    return (
      <section class="view" aria-label="Library">
        <Empty title="No library is open">
          <p>A library finds similar songs, makes playlists and maps your music by what it sounds like. Make one in the terminal, then open the studio without a folder, or name the library's file:</p>
          <pre tabIndex={0}>celesta library add FOLDER{"\n"}celesta studio{"\n"}celesta studio --library FILE</pre>
        </Empty>
      </section>
    );
  }
  return (
    <section class="view library" aria-label="Library">
      <Head />
      <div class="library-body">
        <div class="library-main">
          {tab.value !== "duplicates" && <Search />}
          {problem.value && (
            <p class="problem" role="alert">
              {problem.value}
            </p>
          )}
          {tab.value === "table" && <Table />}
          {tab.value === "map" && <MapView />}
          {tab.value === "duplicates" && <Twins />}
        </div>
        <aside class="library-side">
          <Detail />
          <Playlist />
        </aside>
      </div>
    </section>
  );
}

function Head() {
  const found = info.value;
  const update = async () => {
    try {
      const { job } = await post<{ job: string }>("/library/update");
      const made = await result<{ analysed: number }>(job);
      say(`${made.analysed} songs analysed.`);
      info.value = await get<LibraryInfo>("/library");
      await list();
    } catch (error) {
      fail(error);
    }
  };
  const names: [Tab, string][] = [
    ["table", "Table"],
    ["map", "Map"],
    ["duplicates", "Duplicates"],
  ];
  return (
    <div class="song-head">
      <div>
        <h2>Library</h2>
        <p class="muted">
          {found ? `${found.songs} songs, ${found.hours < 1 ? clock(found.hours * 3600, 0) : `${number(found.hours)} h`}` : "…"}
          {found?.waiting ? `, ${found.waiting} to analyse` : ""}
          {found?.errors ? `, ${found.errors} with errors (celesta library errors)` : ""}
        </p>
      </div>
      <div class="tools">
        <div class="tabs-small" role="group" aria-label="Show">
          {names.map(([id, name]) => (
            <button key={id} aria-pressed={tab.value === id} onClick={() => (tab.value = id)}>
              {name}
            </button>
          ))}
        </div>
        <button onClick={() => void update()}>Update</button>
      </div>
    </div>
  );
}

function Search() {
  const set = (part: Partial<Filters>) => (filters.value = { ...filters.value, ...part });
  const now = filters.value;
  const active = Object.values(now).some(Boolean);
  return (
    <div class="search" role="search">
      <label class="field search-field grow">
        <Icon name="search" />
        <input type="search" aria-label="Search the library" placeholder="Words, genres, moods: slow piano -vocals" value={now.text} onInput={(event) => set({ text: event.currentTarget.value })} />
      </label>
      <select aria-label="Genre" value={now.genre} onChange={(event) => set({ genre: event.currentTarget.value })}>
        <option value="">Any genre</option>
        {info.value?.genres.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
      <select aria-label="Mood" value={now.mood} onChange={(event) => set({ mood: event.currentTarget.value })}>
        <option value="">Any mood</option>
        {info.value?.moods.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
      <input class="short" aria-label="Tempo, such as 118..124" placeholder="Tempo 118..124" value={now.tempo} onChange={(event) => set({ tempo: event.currentTarget.value })} />
      <input class="short" aria-label="Key, such as Am" placeholder="Key Am" value={now.key} onChange={(event) => set({ key: event.currentTarget.value })} />
      {active && (
        <button class="quiet" onClick={() => (filters.value = NO_FILTERS)}>
          Clear
        </button>
      )}
    </div>
  );
}

function Table() {
  const box = useRef<HTMLDivElement>(null);
  const first = useRef(signal(0)).current;
  const height = useRef(signal(600)).current;
  useEffect(() => {
    const observer = new ResizeObserver(() => (height.value = box.current?.clientHeight ?? 600));
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  const found = sorted.value;
  if (rows.value && found.length === 0) {
    return (
      <div ref={box} class="table">
        <Empty title="No song fits" action={<button onClick={() => (filters.value = NO_FILTERS)}>Show all songs</button>}>
          <p>Try fewer words, or another tempo.</p>
        </Empty>
      </div>
    );
  }
  const begin = Math.max(0, Math.min(first.value, found.length - 1) - 4);
  const end = Math.min(found.length, begin + Math.ceil(height.value / ROW) + 10);
  const keys = (event: KeyboardEvent) => {
    const i = found.findIndex((one) => one.id === chosen.value);
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12 }[event.key];
    if (by !== undefined && found.length) {
      const to = Math.min(found.length - 1, Math.max(0, i + by));
      void pick(found[to]!.id);
      const top = to * ROW;
      const view = box.current!;
      if (top < view.scrollTop) view.scrollTop = top;
      else if (top + 2 * ROW > view.scrollTop + view.clientHeight) view.scrollTop = top + 2 * ROW - view.clientHeight;
    } else if (event.key === "Enter" && found[i]) playSong(found[i]!);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div ref={box} class="table" onScroll={() => (first.value = Math.floor(box.current!.scrollTop / ROW))}>
      <div class="grid-table" role="grid" tabIndex={0} aria-label={`${found.length} songs; arrow keys choose, Enter plays`} aria-rowcount={found.length + 1} aria-colcount={COLUMNS.length + 1} onKeyDown={keys}>
        <div class="grid-head grid-row" role="row" aria-rowindex={1}>
          {COLUMNS.map((one) => {
            const on = sort.value?.by === one.id;
            return (
              <div key={one.id} role="columnheader" class={`cell cell-${one.id} ${one.number ? "right" : ""}`} aria-sort={on ? (sort.value!.up ? "ascending" : "descending") : "none"}>
                <button class="quiet" tabIndex={-1} onClick={() => (sort.value = on ? (sort.value!.up ? { by: one.id, up: false } : null) : { by: one.id, up: true })}>
                  {one.name}
                  {on && <Icon name={sort.value!.up ? "up" : "down"} />}
                </button>
              </div>
            );
          })}
          <div role="columnheader" class="cell cell-act">
            <span class="hidden">Actions</span>
          </div>
        </div>
        <div style={{ height: `${found.length * ROW}px`, position: "relative" }} role="rowgroup">
          {found.slice(begin, end).map((one, i) => (
            <div
              key={one.id}
              role="row"
              aria-rowindex={begin + i + 2}
              aria-selected={one.id === chosen.value}
              class={`grid-row song-row ${one.id === chosen.value ? "chosen" : ""}`}
              style={{ top: `${(begin + i) * ROW}px` }}
              draggable
              onDragStart={(event) => event.dataTransfer!.setData("application/x-celesta-song", String(one.id))}
              onClick={() => void pick(one.id)}
              onDblClick={() => playSong(one)}
            >
              {COLUMNS.map((column) => (
                <div key={column.id} role="gridcell" class={`cell cell-${column.id} ${column.number ? "right number" : ""}`} title={column.show(one)}>
                  {column.show(one)}
                </div>
              ))}
              <div role="gridcell" class="cell cell-act">
                <Acts one={one} />
              </div>
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}

function Acts({ one }: { one: SongRow }) {
  const on = one.ref !== null && one.ref === songRef.value && player.playing.value;
  const stop = (act: () => void) => (event: MouseEvent) => {
    event.stopPropagation();
    act();
  };
  return (
    <>
      <button class="quiet" tabIndex={-1} aria-label={`${on ? "Pause" : "Play"} ${one.title}`} onClick={stop(() => playSong(one))}>
        <Icon name={on ? "pause" : "play"} />
      </button>
      <button class="quiet" tabIndex={-1} aria-label={`Add ${one.title} to the playlist`} onClick={stop(() => add(one.id))}>
        <Icon name="add" />
      </button>
    </>
  );
}

function Detail() {
  const one = all.value.get(chosen.value);
  if (!one) {
    return (
      <div class="panel">
        <h3>Similar songs</h3>
        <p class="muted">Choose a song to see which are like it, and why.</p>
      </div>
    );
  }
  const search = (value: string) => {
    by.value = value;
    void pick(one.id, part.value);
  };
  return (
    <div class="panel">
      <div class="detail-head">
        <button class="play small-play" aria-label={`Play ${one.title}`} onClick={() => playSong(one)}>
          <Icon name={one.ref === songRef.value && player.playing.value ? "pause" : "play"} />
        </button>
        <div>
          <h3>{one.title}</h3>
          <p class="muted small-text">{[one.artist, one.album, one.genre, one.key, one.tempo && `${one.tempo.toFixed(0)} bpm`].filter(Boolean).join(" · ")}</p>
        </div>
      </div>
      <div class="row">
        <label class="unit">
          <span class="muted">Similar by</span>
          <select value={by.value} onChange={(event) => search(event.currentTarget.value)}>
            <option value="">all</option>
            {info.value?.blocks.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <button onClick={() => add(one.id)}>
          <Icon name="add" /> Playlist
        </button>
      </div>
      {segments.value.length > 1 && one.ref && <Pieces one={one} />}
      {similarProblem.value && (
        <p class="warning" role="alert">
          {similarProblem.value}
        </p>
      )}
      {similar.value === null && <div class="loading small" role="status" aria-label="Looking for similar songs" />}
      <ol class="similar">
        {similar.value?.map((found, i) => (
          <li key={found.song.id} draggable onDragStart={(event) => event.dataTransfer!.setData("application/x-celesta-song", String(found.song.id))}>
            <button class="similar-song" onClick={() => void pick(found.song.id)}>
              <span class="score number" title={`More alike than ${(100 * found.similarity).toFixed(1)} % of the library`}>
                {i + 1}
              </span>
              <span>
                <span class="similar-name">{found.song.artist ? `${found.song.artist} – ${found.song.title}` : found.song.title}</span>
                <span class="muted small-text">{found.reasons.join(", ")}</span>
                {found.part && <span class="muted small-text number">{`most alike at ${clock(found.part[0], 0)} – ${clock(found.part[1], 0)}`}</span>}
              </span>
            </button>
            <button class="quiet" aria-label={`Play ${found.song.title}`} onClick={() => playSong(found.song, found.part?.[0])}>
              <Icon name="play" />
            </button>
          </li>
        ))}
      </ol>
    </div>
  );
}

/** The pieces of a song by which its parts are compared; choosing one plays it and finds songs with a part like it. */
function Pieces({ one }: { one: SongRow }) {
  const total = segments.value.at(-1)!.stop;
  return (
    <div class="pieces" role="group" aria-label="Parts of the song">
      <button class="small" aria-pressed={part.value === null} onClick={() => void pick(one.id)}>
        Whole song
      </button>
      <div class="pieces-row">
        {segments.value.map((piece) => {
          const name = `${clock(piece.start, 0)} to ${clock(piece.stop, 0)}`;
          const on = part.value?.start === piece.start;
          const choose = () => {
            playSong(one, piece.start);
            void pick(one.id, piece);
          };
          return (
            <button key={piece.start} class="piece" aria-pressed={on} aria-label={`Part ${name}: play it, and find songs with a part like it`} title={`Play ${name}, and find songs with a part like it`} style={{ flexGrow: (piece.stop - piece.start) / total }} onClick={choose}>
              {segments.value.length <= 6 ? clock(piece.start, 0) : ""}
            </button>
          );
        })}
      </div>
    </div>
  );
}

function Playlist() {
  const songs = playlist.value.map((id) => all.value.get(id)).filter((one): one is SongRow => !!one);
  const total = songs.reduce((sum, one) => sum + (one.seconds ?? 0), 0);
  const now = all.value.get(chosen.value);
  const from = all.value.get(pathFrom.value);
  const make = async (request: object) => {
    try {
      const made = await post<{ songs: SongRow[]; command: string; notes: string[] }>("/library/playlist", request);
      made.notes.forEach((one) => say(one));
      const known = new Map(all.value);
      made.songs.forEach((one) => known.set(one.id, one));
      all.value = known;
      playlist.value = made.songs.map((one) => one.id);
      command.value = made.command;
    } catch (error) {
      fail(error);
    }
  };
  const drop = (event: DragEvent, place?: number) => {
    const id = Number(event.dataTransfer?.getData("application/x-celesta-song"));
    if (!id) return;
    event.preventDefault();
    event.stopPropagation();
    add(id, place);
  };
  const over = (event: DragEvent) => event.dataTransfer?.types.includes("application/x-celesta-song") && event.preventDefault();
  const write = async (format: string) => {
    try {
      await save(await postRaw("/library/export", { ids: playlist.value, format }));
    } catch (error) {
      fail(error);
    }
  };
  const move = (i: number, by: number) => {
    const next = [...playlist.value];
    const [one] = next.splice(i, 1);
    next.splice(i + by, 0, one!);
    playlist.value = next;
  };
  return (
    <div class="panel playlist" onDragOver={over} onDrop={(event) => drop(event)} aria-label="Playlist" role="region">
      <div class="row between">
        <h3>Playlist</h3>
        {songs.length > 0 && <span class="muted small-text number">{`${songs.length} songs, ${clock(total, 0)}`}</span>}
      </div>
      {now && (
        <div class="row wrap">
          <button class="small" onClick={() => void make({ seeds: [now.id], n: 15 })}>
            15 around this song
          </button>
          {from && from.id !== now.id ? (
            <button class="small" onClick={() => void make({ start: from.id, end: now.id, n: 12 }).then(() => (pathFrom.value = 0))}>
              Path from “{from.title}” to here
            </button>
          ) : (
            <button class="small" onClick={() => (pathFrom.value = now.id)}>
              {from ? "Now choose the end" : "Path from here"}
            </button>
          )}
        </div>
      )}
      {songs.length === 0 && <p class="muted">Drag songs here, or let Celesta make one around a song, or a path between two.</p>}
      <ol class="list">
        {songs.map((one, i) => (
          <li key={one.id} draggable onDragStart={(event) => event.dataTransfer!.setData("application/x-celesta-song", String(one.id))} onDragOver={over} onDrop={(event) => drop(event, i)}>
            <button class="quiet list-name" onClick={() => playSong(one)} aria-label={`Play ${one.title}`}>
              <span class={one.ref === songRef.value ? "playing" : ""}>{one.artist ? `${one.artist} – ${one.title}` : one.title}</span>
            </button>
            <button class="quiet" disabled={i === 0} aria-label={`Move ${one.title} up`} onClick={() => move(i, -1)}>
              <Icon name="up" />
            </button>
            <button class="quiet" disabled={i === songs.length - 1} aria-label={`Move ${one.title} down`} onClick={() => move(i, 1)}>
              <Icon name="down" />
            </button>
            <button class="quiet" aria-label={`Remove ${one.title}`} onClick={() => (playlist.value = playlist.value.filter((id) => id !== one.id))}>
              <Icon name="close" />
            </button>
          </li>
        ))}
      </ol>
      {songs.length > 0 && (
        <div class="row wrap">
          {["m3u8", "xspf", "json"].map((one) => (
            <button class="small" key={one} onClick={() => void write(one)}>
              {one.toUpperCase()}
            </button>
          ))}
          <button class="quiet small" onClick={() => (playlist.value = [])}>
            Empty it
          </button>
        </div>
      )}
    </div>
  );
}
