// The error of each octave band relative to the signal, for all versions; the chosen one stands out.
import type { Version } from "../types";

const WIDTH = 640;
const HEIGHT = 170;
const LEFT = 44;
const BOTTOM = 24;
const [TOP_DB, LOW_DB] = [5, -45];

export function BandChart({ versions, chosen }: { versions: Version[]; chosen: string }) {
  const bands = versions[0]?.bands;
  if (!bands?.length) return null;
  const x = (i: number) => LEFT + ((i + 0.5) * (WIDTH - LEFT - 8)) / bands.length;
  const y = (db: number) => 8 + ((TOP_DB - Math.max(LOW_DB, Math.min(TOP_DB, db))) / (TOP_DB - LOW_DB)) * (HEIGHT - BOTTOM - 8);
  const path = (one: Version) => one.bands!.map(([, db], i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(db).toFixed(1)}`).join("");
  const sorted = [...versions].sort((a, b) => Number(a.name === chosen) - Number(b.name === chosen));
  const now = versions.find((one) => one.name === chosen);
  const text = (now ?? versions[0]!).bands!.map(([f, db]) => `${name(f)}: ${db.toFixed(0)} dB`).join(", ");
  return (
    <figure class="chart">
      <figcaption>Error of each octave, relative to the signal</figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`Error by octave of ${(now ?? versions[0]!).name}: ${text}`}>
        {[0, -10, -20, -30, -40].map((db) => (
          <g key={db}>
            <line class="grid" x1={LEFT} x2={WIDTH - 8} y1={y(db)} y2={y(db)} />
            <text x={LEFT - 8} y={y(db) + 4} text-anchor="end">
              {db === 0 ? "0 dB" : `−${-db}`}
            </text>
          </g>
        ))}
        {bands.map(([f], i) => (
          <text key={f} x={x(i)} y={HEIGHT - 6} text-anchor="middle">
            {name(f)}
          </text>
        ))}
        {sorted.map((one) => (
          <g key={one.name} class={one.name === chosen ? "line chosen" : "line"}>
            <path d={path(one)} />
            {one.name === chosen && one.bands!.map(([f, db], i) => <circle key={f} cx={x(i)} cy={y(db)} r={3.5} />)}
          </g>
        ))}
      </svg>
    </figure>
  );
}

function name(frequency: number): string {
  return frequency >= 1000 ? `${frequency / 1000}k` : `${Math.round(frequency)}`;
}
