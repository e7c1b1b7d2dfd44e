// Plays songs of any length by byte ranges through an audio element; nothing is decoded as a whole.
import { effect, signal } from "@preact/signals";
import { url } from "./api";
import { duration, fail, loop, selection, song, songRef } from "./state";

export interface Transport {
  playing: { value: boolean };
  title?: string;
  total?: number;
  toggle(): void;
  stop(): void;
  seek(seconds: number): void;
  position(): number;
}

class Player implements Transport {
  readonly playing = signal(false);
  readonly volume = signal(1);
  readonly element = new Audio();
  private ref = "";
  private fallback = false;

  constructor() {
    this.element.preload = "metadata";
    this.element.addEventListener("play", () => (this.playing.value = true));
    this.element.addEventListener("pause", () => (this.playing.value = false));
    this.element.addEventListener("ended", () => {
      if (loop.value) {
        this.element.currentTime = selection.value?.start ?? 0;
        void this.element.play();
      }
    });
    this.element.addEventListener("error", () => this.failed());
    effect(() => this.use(songRef.value, song.value?.plays_as ?? null));
    effect(() => {
      this.element.volume = this.volume.value;
    });
  }

  /** Load a song: the file itself where the browser can play it, else a WAV that the server makes as it is read. */
  private use(ref: string, kind: string | null): void {
    if (kind === null) {
      if (!ref) this.stop();
      return;
    }
    if (ref === this.ref) return;
    this.ref = ref;
    this.fallback = kind === "" || this.element.canPlayType(kind) === "";
    this.element.src = url(this.fallback ? "/wav" : "/audio", { song: ref });
  }

  private failed(): void {
    if (!this.ref || this.element.error?.code === MediaError.MEDIA_ERR_ABORTED) return;
    const at = this.element.currentTime;
    if (!this.fallback) {
      this.fallback = true;
      const was = this.playing.value;
      this.element.src = url("/wav", { song: this.ref });
      this.element.currentTime = at;
      if (was) void this.element.play().catch(() => undefined);
    } else {
      fail(new Error("This file cannot be played. Check it with: celesta info FILE"));
    }
  }

  toggle(): void {
    if (!song.value) return;
    if (this.playing.value) {
      this.element.pause();
      return;
    }
    const inside = selection.value;
    const now = this.position();
    if (inside && loop.value && (now < inside.start - 0.01 || now >= inside.stop - 0.01)) this.seek(inside.start);
    else if (now >= duration.value - 0.05) this.seek(inside?.start ?? 0);
    this.element.play().then(() => this.watch(), fail);
  }

  stop(): void {
    this.element.pause();
  }

  seek(seconds: number): void {
    this.element.currentTime = Math.min(Math.max(0, seconds), Math.max(0, duration.value - 0.001));
  }

  position(): number {
    return this.element.currentTime;
  }

  /** Return to the beginning of the loop at its end. */
  private watch(): void {
    const step = () => {
      if (!this.playing.value) return;
      const inside = selection.value;
      if (loop.value && inside && this.position() >= inside.stop - 0.008 && this.position() < inside.stop + 0.5) {
        this.seek(inside.start);
      }
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }
}

export const player = new Player();
export const transport = signal<Transport>(player);

/** Make a transport the one that the keys and the bar control; the other one stops. */
export function take(one: Transport): void {
  if (transport.value === one) return;
  transport.value.stop();
  transport.value = one;
}
