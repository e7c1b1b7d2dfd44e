// Numbers as people read them.

export function clock(seconds: number, digits = 1): string {
  if (!Number.isFinite(seconds)) return "–";
  const scale = 10 ** digits;
  const whole = Math.round(Math.max(0, seconds) * scale);
  const [h, m] = [Math.floor(whole / scale / 3600), Math.floor(whole / scale / 60) % 60];
  const s = ((whole % (60 * scale)) / scale).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return h ? `${h}:${String(m).padStart(2, "0")}:${s}` : `${m}:${s}`;
}

export function size(bytes: number): string {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

export function number(value: number | null | undefined, digits = 1): string {
  return value === null || value === undefined || !Number.isFinite(value) ? "–" : value.toFixed(digits);
}

export function hertz(value: number): string {
  return value >= 1000 ? `${+(value / 1000).toFixed(2)} kHz` : `${+value.toFixed(1)} Hz`;
}

export function percent(value: number): string {
  return `${Math.round(value * 100)} %`;
}

export function words(text: string): string {
  return text.replaceAll("_", " ");
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A round step for ticks: about `count` of them in `span`. */
export function tickStep(span: number, count: number): number {
  const steps = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
  return steps.find((one) => span / one <= count) ?? 14_400;
}
