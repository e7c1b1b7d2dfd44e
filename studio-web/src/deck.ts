// Versions of one stretch of audio on one Web Audio clock: all play at once, and one of them is audible.
import { signal } from "@preact/signals";
import type { Transport } from "./player";

export interface Track {
  id: string;
  buffer: AudioBuffer;
  /** dB that give it the loudness of the first one. */
  gain: number;
  /** Seconds of its audio for a second of the clock: a copy at another speed is played at that speed. */
  speed?: number;
}

interface Voice {
  source: AudioBufferSourceNode;
  gain: GainNode;
}

const FADE = 0.012; // seconds of the cross-fade
const AHEAD = 0.03; // seconds from a change to its beginning

export class Deck implements Transport {
  readonly playing = signal(false);
  readonly chosen = signal("");
  readonly matched = signal(true);
  readonly looping = signal(true);
  readonly tracks = new Map<string, Track>();
  context: BaseAudioContext | null = null;
  /** Seconds of the song at which the stretch begins. */
  offset = 0;
  /** What is played, and its seconds, where that is not the song that is open. */
  title = "";
  total = 0;
  private voices = new Map<string, Voice>();
  private startedAt = 0;
  private from = 0;
  private ending: ReturnType<typeof setTimeout> | undefined;

  /** Use the audio's own sample rate where the browser can, so that nothing is resampled. */
  prepare(sampleRate: number): BaseAudioContext {
    if (this.context && this.context.sampleRate === sampleRate) return this.context;
    this.clear();
    if (this.context instanceof AudioContext) void this.context.close();
    try {
      this.context = new AudioContext({ sampleRate, latencyHint: "interactive" });
    } catch {
      this.context = new AudioContext();
    }
    return this.context;
  }

  buffer(channels: Float32Array[], sampleRate: number): AudioBuffer {
    const made = new AudioBuffer({ length: Math.max(1, channels[0]?.length ?? 1), numberOfChannels: channels.length, sampleRate });
    channels.forEach((x, i) => made.copyToChannel(x as Float32Array<ArrayBuffer>, i));
    return made;
  }

  /** Seconds of the longest track. */
  get length(): number {
    return Math.max(0, ...[...this.tracks.values()].map((one) => one.buffer.duration / (one.speed ?? 1)));
  }

  /** Add a track or exchange its audio, and choose it; while playing it joins in at the same place. */
  add(track: Track, choose = false): void {
    const old = this.voices.get(track.id);
    this.tracks.set(track.id, track);
    if (choose || !this.chosen.value) this.chosen.value = track.id;
    if (this.playing.value && this.context) {
      this.voices.delete(track.id);
      if (choose) this.levels(AHEAD);
      this.join(track);
      if (old) this.fadeOut(old);
    }
  }

  has(id: string): boolean {
    return this.tracks.has(id);
  }

  remove(id: string): void {
    const voice = this.voices.get(id);
    if (voice) this.fadeOut(voice);
    this.voices.delete(id);
    this.tracks.delete(id);
  }

  clear(): void {
    this.stop();
    this.tracks.clear();
    this.chosen.value = "";
    this.from = 0;
  }

  choose(id: string): void {
    if (!this.tracks.has(id)) return;
    this.chosen.value = id;
    this.levels();
  }

  /** Set the gain of every voice: the chosen one audible, the others silent, with a short cross-fade. */
  levels(delay = 0): void {
    if (!this.context) return;
    const at = this.context.currentTime + delay;
    for (const [id, { gain }] of this.voices) {
      gain.gain.cancelScheduledValues(this.context.currentTime);
      gain.gain.setValueAtTime(gain.gain.value, at).linearRampToValueAtTime(this.level(id), at + FADE);
    }
  }

  private level(id: string): number {
    if (id !== this.chosen.value) return 0;
    return this.matched.value ? 10 ** ((this.tracks.get(id)?.gain ?? 0) / 20) : 1;
  }

  toggle(): void {
    if (this.playing.value) this.pause();
    else void this.play();
  }

  async play(): Promise<void> {
    if (!this.context || this.tracks.size === 0) return;
    if (this.context instanceof AudioContext) await this.context.resume();
    this.playing.value = true;
    if (this.from >= this.length - 0.005) this.from = 0;
    this.startedAt = this.context.currentTime + 0.02;
    for (const track of this.tracks.values()) this.launch(track, this.startedAt, this.from);
    this.watch();
  }

  private launch(track: Track, when: number, from: number, fade = 0): void {
    const context = this.context!;
    const speed = track.speed ?? 1;
    const gain = new GainNode(context, { gain: fade ? 0 : this.level(track.id) });
    if (fade) gain.gain.setValueAtTime(0, when).linearRampToValueAtTime(this.level(track.id), when + fade);
    const source = new AudioBufferSourceNode(context, { buffer: track.buffer, loop: this.looping.value, playbackRate: speed });
    source.connect(gain).connect(context.destination);
    source.start(when, (from * speed) % track.buffer.duration);
    this.voices.set(track.id, { source, gain });
  }

  /** Start a track on the running clock, on a whole sample of it. */
  private join(track: Track): void {
    const context = this.context!;
    const rate = context.sampleRate;
    const n = Math.max(0, Math.ceil((context.currentTime + AHEAD - this.startedAt) * rate));
    this.launch(track, this.startedAt + n / rate, (this.from + n / rate) % Math.max(this.length, 1e-3), FADE);
  }

  private fadeOut(voice: Voice): void {
    const now = this.context!.currentTime;
    const { gain } = voice.gain;
    gain.cancelScheduledValues(now);
    gain.setValueAtTime(gain.value, now + AHEAD).linearRampToValueAtTime(0, now + AHEAD + FADE);
    voice.source.stop(now + 2 * AHEAD + FADE);
  }

  private watch(): void {
    clearTimeout(this.ending);
    if (this.looping.value) return;
    this.ending = setTimeout(() => {
      if (this.playing.value && !this.looping.value) this.stop();
    }, Math.max(0, this.length - this.from) * 1000 + 60);
  }

  pause(): void {
    const at = this.position() - this.offset;
    this.halt();
    this.from = at;
  }

  stop(): void {
    this.halt();
    this.from = 0;
  }

  private halt(): void {
    clearTimeout(this.ending);
    for (const voice of this.voices.values()) {
      try {
        voice.source.stop();
      } catch {
        // not started yet
      }
      voice.gain.disconnect();
    }
    this.voices.clear();
    this.playing.value = false;
  }

  seek(seconds: number): void {
    const to = Math.min(Math.max(0, seconds - this.offset), Math.max(0, this.length - 0.001));
    const was = this.playing.value;
    this.halt();
    this.from = to;
    if (was) void this.play();
  }

  /** Seconds of the song, by the clock of Web Audio. */
  position(): number {
    if (!this.playing.value || !this.context) return this.offset + this.from;
    const at = this.from + Math.max(0, this.context.currentTime - this.startedAt);
    return this.offset + (this.looping.value ? at % Math.max(this.length, 1e-3) : Math.min(at, this.length));
  }
}
