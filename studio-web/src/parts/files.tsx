// The list of songs: folders that are served, search by name, upload by drop.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { get, upload } from "../api";
import { fail, open, recall, say, server, songRef, stored } from "../state";
import type { Entry } from "../types";
import { Icon } from "./icons";
import { size } from "../format";

const folder = stored<{ ref: string; name: string }[]>("folder", []);
const MOST_SHOWN = 500;
const query = signal("");
const entries = signal<Entry[] | null>(null);
export const drawer = signal(false);
let asked = 0;
let shownOnce = false;

/** The folders that lead to a song, from the one that was given to the studio. */
function folders(ref: string, roots: Entry[]): { ref: string; name: string }[] {
  const [number, ...names] = ref.split("/").slice(0, -1);
  const made = [{ ref: number!, name: roots.find((one) => one.ref === number)?.name ?? "" }];
  for (const name of names) made.push({ ref: `${made.at(-1)!.ref}/${name}`, name: plain(name) });
  return made;
}

function plain(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name; // bytes that are no text
  }
}

async function list(): Promise<void> {
  const mine = ++asked;
  const here = folder.value.at(-1)?.ref ?? "";
  try {
    const found = await get<{ entries: Entry[] }>("/files", query.value.trim() ? { query: query.value } : { folder: here });
    if (mine !== asked) return;
    if (!here && !query.value && found.entries.length === 1 && found.entries[0]!.folder) {
      folder.value = [{ ref: found.entries[0]!.ref, name: found.entries[0]!.name }];
      return;
    }
    entries.value = found.entries;
    if (!here && !query.value && songRef.value.includes("/") && !shownOnce) {
      shownOnce = true;
      folder.value = folders(songRef.value, found.entries);
      return;
    }
    if (!songRef.value && !location.hash.includes("song=")) {
      const last = recall<{ ref: string }[]>("recent", [])[0]?.ref;
      const first = found.entries.find((one) => one.ref === last) ?? found.entries.find((one) => !one.folder);
      if (first) void open(first.ref);
    }
  } catch (error) {
    if (mine !== asked) return;
    if (folder.value.length) folder.value = [];
    else fail(error);
  }
}

export async function take(files: FileList | File[]): Promise<void> {
  for (const file of [...files].slice(0, 20)) {
    const most = server.value?.largest_upload ?? Infinity;
    if (file.size > most) {
      fail(new Error(`${file.name}: has ${size(file.size)}; open files above ${size(most)} by name: celesta studio FILE`));
      continue;
    }
    try {
      const made = await upload(file);
      say(`${made.name} is open. It is deleted when the studio ends.`);
      void open(made.ref);
      folder.value = [];
      void list();
    } catch (error) {
      fail(error);
    }
  }
}

export function Files() {
  const input = useRef<HTMLInputElement>(null);
  const wait = useRef<ReturnType<typeof setTimeout>>();
  const here = folder.value;
  useEffect(() => {
    clearTimeout(wait.current);
    wait.current = setTimeout(() => void list(), query.value ? 180 : 0);
  }, [here, query.value]);
  const pick = (one: Entry) => {
    if (one.folder) folder.value = [...here, { ref: one.ref, name: one.name }];
    else {
      void open(one.ref);
      drawer.value = false;
    }
  };
  const found = entries.value;
  return (
    <nav class={`files ${drawer.value ? "open" : ""}`} aria-label="Songs">
      <div class="files-head">
        <label class="field search-field">
          <Icon name="search" />
          <input type="search" placeholder="Find a file" aria-label="Find a file by its name" value={query.value} onInput={(event) => (query.value = event.currentTarget.value)} />
        </label>
        {!query.value && here.length > 0 && (
          <div class="files-path">
            <button class="quiet" onClick={() => (folder.value = here.slice(0, -1))} aria-label="Folder above">
              <Icon name="back" />
            </button>
            <strong>{here.at(-1)!.name}</strong>
          </div>
        )}
      </div>
      <ul class="files-list">
        {found?.slice(0, MOST_SHOWN).map((one) => (
          <li key={one.ref}>
            <button class={`file ${one.ref === songRef.value ? "chosen" : ""}`} aria-current={one.ref === songRef.value ? "true" : undefined} onClick={() => pick(one)}>
              <Icon name={one.folder ? "folder" : "note"} />
              <span>{one.name}</span>
            </button>
          </li>
        ))}
        {found && found.length > MOST_SHOWN && <li class="files-none muted">{found.length - MOST_SHOWN} more. Type a part of a name above to find them.</li>}
        {found?.length === 0 && (
          <li class="files-none muted">{query.value ? "No file of that name. Try fewer letters." : "No audio in this folder. Drop files here, or open another folder."}</li>
        )}
      </ul>
      <div class="files-foot">
        <button class="quiet" onClick={() => input.current!.click()}>
          <Icon name="upload" /> Open a file…
        </button>
        <input
          ref={input}
          type="file"
          hidden
          multiple
          accept="audio/*,.cel,.flac,.opus"
          aria-label="Open audio files"
          onChange={(event) => {
            void take(event.currentTarget.files!);
            event.currentTarget.value = "";
          }}
        />
      </div>
    </nav>
  );
}
