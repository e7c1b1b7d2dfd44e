// A blind test: is X the original (A) or the version (B)?
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { post } from "../api";
import type { Deck } from "../deck";
import { fail, recall, remember, song } from "../state";
import type { Version } from "../types";
import { Icon } from "../parts/icons";

interface Trial {
  x: "A" | "B";
  answer: "A" | "B";
}
interface Result {
  song: string;
  version: string;
  correct: number;
  trials: number;
  p: number;
}

export const abxOpen = signal(false);
const trials = signal<Trial[]>([]);
const total = signal(10);
const hidden = signal<"A" | "B">("A");
const playing = signal<"A" | "B" | "X">("A");
const against = signal("");
const verdict = signal<Result | null>(null);
let deckInUse: Deck | null = null;

function coin(): "A" | "B" {
  return crypto.getRandomValues(new Uint8Array(1))[0]! < 128 ? "A" : "B";
}

function listen(which: "A" | "B" | "X"): void {
  playing.value = which;
  const real = which === "X" ? hidden.value : which;
  deckInUse?.choose(real === "A" ? "original" : against.value);
  if (deckInUse && !deckInUse.playing.value) void deckInUse.play();
}

function begin(): void {
  trials.value = [];
  verdict.value = null;
  hidden.value = coin();
  listen("X");
}

async function answer(is: "A" | "B"): Promise<void> {
  if (trials.value.length >= total.value) return;
  trials.value = [...trials.value, { x: hidden.value, answer: is }];
  if (trials.value.length < total.value) {
    hidden.value = coin();
    listen("X");
    return;
  }
  deckInUse?.stop();
  const correct = trials.value.filter((one) => one.x === one.answer).length;
  try {
    const { p } = await post<{ p: number }>("/abx", { correct, trials: total.value });
    verdict.value = { song: song.value?.name ?? "", version: against.value, correct, trials: total.value, p };
    remember("abx", [verdict.value, ...recall<Result[]>("abx", [])].slice(0, 50));
  } catch (error) {
    fail(error);
  }
}

export function abxKey(key: string): boolean {
  if (key === "a" || key === "b" || key === "x") listen(key.toUpperCase() as "A");
  else return false;
  return true;
}

export function Abx({ deck, versions }: { deck: Deck; versions: Version[] }) {
  const dialog = useRef<HTMLDialogElement>(null);
  deckInUse = deck;
  useEffect(() => {
    if (!abxOpen.value || dialog.current!.open) return;
    trials.value = [];
    verdict.value = null;
    const wanted = deck.chosen.value;
    against.value = versions.some((one) => one.name === wanted) ? wanted : (versions[0]?.name ?? "");
    deck.matched.value = true;
    dialog.current!.showModal();
  }, [abxOpen.value]);
  const close = () => {
    abxOpen.value = false;
    deck.choose("original");
  };
  const keys = (event: KeyboardEvent) => {
    if (abxKey(event.key.toLowerCase())) event.preventDefault();
  };
  const started = trials.value.length > 0 || deck.playing.value || verdict.value;
  const done = verdict.value;
  return (
    <dialog ref={dialog} class="dialog abx" aria-labelledby="abx-title" onClose={close} onKeyDown={keys}>
      <div class="dialog-head">
        <h2 id="abx-title">Blind test</h2>
        <button class="quiet" aria-label="Close" onClick={() => dialog.current!.close()}>
          <Icon name="close" />
        </button>
      </div>
      {done ? (
        <div class="verdict">
          <p class="big number">
            {done.correct} of {done.trials} right
          </p>
          <p>
            p = {done.p < 0.001 ? "below 0.001" : done.p.toFixed(3)}: {done.p < 0.05 ? "you can tell them apart." : "guessing gives this often enough; no difference shown."}
          </p>
          <p class="muted">{done.version} against the original, same loudness.</p>
          <button class="primary" onClick={begin}>
            Again
          </button>
        </div>
      ) : !started ? (
        <div class="abx-setup">
          <p>A is the original, B the version. X is one of the two, at random. Listen as often as you like, then say which.</p>
          <label class="field">
            <span>Version</span>
            <select value={against.value} onChange={(event) => (against.value = event.currentTarget.value)}>
              {versions.map((one) => (
                <option key={one.name} value={one.name}>
                  {one.name}
                </option>
              ))}
            </select>
          </label>
          <label class="field">
            <span>Trials</span>
            <select value={total.value} onChange={(event) => (total.value = Number(event.currentTarget.value))}>
              {[5, 10, 16, 25].map((n) => (
                <option key={n} value={n}>
                  {n}
                </option>
              ))}
            </select>
          </label>
          <button class="primary" onClick={begin}>
            Begin
          </button>
        </div>
      ) : (
        <div class="abx-test">
          <p class="muted" role="status">
            Trial {Math.min(total.value, trials.value.length + 1)} of {total.value}
          </p>
          <div class="abx-keys">
            {(["A", "X", "B"] as const).map((one) => (
              <button key={one} class="abx-key" aria-pressed={playing.value === one} onClick={() => listen(one)}>
                <strong>{one}</strong>
                <span>{one === "A" ? "original" : one === "B" ? "version" : "?"}</span>
              </button>
            ))}
          </div>
          <div class="abx-answers">
            <button class="primary" onClick={() => void answer("A")}>
              X is A
            </button>
            <button class="primary" onClick={() => void answer("B")}>
              X is B
            </button>
          </div>
        </div>
      )}
    </dialog>
  );
}
