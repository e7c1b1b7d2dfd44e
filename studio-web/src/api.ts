// Requests to the server, and the stream of its events.
import { signal } from "@preact/signals";
import type { Job } from "./types";

export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

type Query = Record<string, string | number | boolean | null | undefined>;

export function url(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(([, v]) => v !== undefined && v !== null && v !== "");
  const text = new URLSearchParams(given.map(([k, v]) => [k, String(v)])).toString();
  return `/api${path}${text ? `?${text}` : ""}`;
}

async function checked(response: Response): Promise<Response> {
  if (response.ok) return response;
  let message = `${response.status} ${response.statusText}`;
  try {
    message = ((await response.json()) as { error: string }).error;
  } catch {
    // not JSON: the status has to do
  }
  throw new ApiError(message, response.status);
}

async function send(input: string, options: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(input, options);
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new ApiError("The studio does not answer. Is `celesta studio` still running in the terminal?", 0);
  }
  return checked(response);
}

export async function get<T>(path: string, query: Query = {}, stop?: AbortSignal): Promise<T> {
  return (await send(url(path, query), { signal: stop })).json() as Promise<T>;
}

export async function bytes(path: string, query: Query = {}, stop?: AbortSignal): Promise<Response> {
  return send(url(path, query), { signal: stop });
}

export async function post<T>(path: string, body: unknown = {}, stop?: AbortSignal): Promise<T> {
  return (await postRaw(path, body, stop)).json() as Promise<T>;
}

export async function postRaw(path: string, body: unknown, stop?: AbortSignal): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return send(`/api${path}`, { method: "POST", body: JSON.stringify(body), headers, signal: stop });
}

/** Number of channels, sample rate and length of audio that is coming. */
export function sizes(response: Response): { count: number; rate: number; total: number } {
  const [count, rate, total] = ["channels", "rate", "samples"].map((name) => Number(response.headers.get(`x-celesta-${name}`)));
  return { count: count!, rate: rate!, total: total! };
}

/** All of the audio of a response, channel by channel. */
export async function samples(response: Response): Promise<{ channels: Float32Array[]; rate: number }> {
  const { count, rate } = sizes(response);
  const data = new Float32Array(await response.arrayBuffer());
  const channels = Array.from({ length: count }, () => new Float32Array(data.length / count));
  channels.forEach((x, c) => {
    for (let i = 0; i < x.length; i++) x[i] = data[i * count + c]!;
  });
  return { channels, rate };
}

export async function upload(file: File): Promise<{ ref: string; name: string }> {
  const response = await send(url("/upload", { name: file.name }), { method: "PUT", body: file });
  return response.json() as Promise<{ ref: string; name: string }>;
}

/** Offer bytes as a file to save. */
export async function save(response: Response, name?: string): Promise<void> {
  const blob = await response.blob();
  const said = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1];
  const encoded = /filename\*=utf-8''([^;]+)/i.exec(response.headers.get("content-disposition") ?? "")?.[1];
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name ?? (encoded ? decodeURIComponent(encoded) : (said ?? "celesta"));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export const connected = signal(true);
export const jobs = signal<Map<string, Job>>(new Map());
const waiting = new Map<string, { done: (job: Job) => void; failed: (error: Error) => void }[]>();

function changed(job: Job): void {
  const known = new Map(jobs.value);
  known.set(job.id, { ...known.get(job.id), ...job });
  jobs.value = known;
  if (!["done", "failed", "cancelled"].includes(job.state)) return;
  const those = waiting.get(job.id);
  waiting.delete(job.id);
  if (!those) return;
  if (job.state === "done") {
    void get<Job>("/job", { id: job.id }).then(
      (whole) => those.forEach((one) => one.done(whole)),
      (error: Error) => those.forEach((one) => one.failed(error)),
    );
  } else {
    const text = job.state === "cancelled" ? "Cancelled." : job.note;
    those.forEach((one) => one.failed(new ApiError(text, job.state === "cancelled" ? 499 : 500)));
  }
}

/** Call back with what there is of a job's result whenever there is more; returns how to end that. */
export function partial<T>(id: string, more: (result: T) => void): () => void {
  let seen = 0;
  return jobs.subscribe((all) => {
    const job = all.get(id);
    if (!job || job.state !== "running" || !job.parts || job.parts === seen) return;
    seen = job.parts;
    void get<Job>("/job", { id }).then(
      (whole) => whole.result !== null && more(whole.result as T),
      () => undefined,
    );
  });
}

/** The result of a job, when it is done; rejects where it failed or was cancelled. */
export function result<T>(id: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const those = waiting.get(id) ?? [];
    those.push({ done: (job) => resolve(job.result as T), failed: reject });
    waiting.set(id, those);
    get<Job>("/job", { id }).then(changed, reject);
  });
}

export async function cancel(id: string): Promise<void> {
  changed(await post<Job>("/cancel", { id }));
}

async function refresh(): Promise<void> {
  const all = await get<{ jobs: Job[] }>("/jobs");
  all.jobs.forEach(changed);
}

export function listen(): void {
  const source = new EventSource("/api/events");
  source.addEventListener("job", (event) => changed(JSON.parse((event as MessageEvent<string>).data) as Job));
  source.onopen = () => {
    connected.value = true;
    void refresh().catch(() => undefined);
  };
  source.onerror = () => {
    connected.value = false;
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3_000);
  };
}
