// Requests and responses of the server; they mirror src/celesta/studio/schema.py and answers.py.

export interface ModelInfo {
  name: string;
  role: string;
  description: string;
  scalable: boolean;
  available: boolean;
}

export interface ParameterInfo {
  name: string;
  kind: "int" | "float";
  help: string;
  default: number | null;
  minimum: number | null;
  maximum: number | null;
  flag: string;
}

export interface VariationInfo {
  name: string;
  summary: string;
  parameters: ParameterInfo[];
}

export interface State {
  version: string;
  platform: string;
  models: ModelInfo[];
  default_model: string;
  peers: string[];
  variations: VariationInfo[];
  formats: string[];
  ladder: number[];
  library: string | null;
  longest_selection: number;
  largest_upload: number;
  command: string;
}

export interface Entry {
  ref: string;
  name: string;
  folder: boolean;
}

export interface SongInfo {
  ref: string;
  name: string;
  path: string;
  format: string;
  subtype: string;
  sample_rate: number;
  channels: number;
  seconds: number;
  n_bytes: number;
  kbps: number;
  tags: Record<string, string>;
  plays_as: string;
  read_seconds: number;
  complete: boolean;
  problem: string;
  warnings: string[];
  library_id: number | null;
  command: string;
}

export interface Job {
  id: string;
  kind: string;
  title: string;
  state: "waiting" | "running" | "done" | "failed" | "cancelled";
  share: number | null;
  left: number | null;
  note: string;
  seconds: number;
  parts: number;
  result: unknown;
}

export interface Version {
  name: string;
  model?: string;
  target?: number | null;
  render: string;
  sample_rate: number;
  channels: number;
  kbps?: number | null;
  si_sdr?: number;
  snr?: number;
  mel?: number;
  bands?: [number, number][];
  loudness: number;
  gain: number;
  command?: string;
}

export interface Comparison {
  original: Version;
  versions: Version[];
  failures: { name: string; error: string }[];
  command: string;
}

export interface Choice {
  model: string;
  kbps?: number;
  bits?: number;
}

export interface Step {
  name: string;
  settings: Record<string, number>;
}

export interface Exported {
  render: string;
  name: string;
  bytes: number;
  recipe: string;
  recipe_render: string;
  command: string;
}

export interface Prediction {
  path: string;
  status: string;
  reason: string;
  duration: number;
  probabilities: Record<string, Record<string, number>>;
  classes: Record<string, string[]>;
  times: number[];
  over_time: Record<string, (number | null)[][]>;
  plane: ([number, number] | null)[];
  valence?: number;
  arousal?: number;
  command: string;
}

export interface Segment {
  start: number;
  stop: number;
}

export interface Structure {
  segments: (Segment & { label: string })[];
  tempo: number | null;
  command: string;
}

export interface LibraryInfo {
  path: string;
  songs: number;
  analysed: number;
  waiting: number;
  missing: number;
  hours: number;
  errors: number;
  folders: string[];
  genres: string[];
  moods: string[];
  blocks: string[];
  axes: string[];
}

export interface SongRow {
  id: number;
  ref: string | null;
  title: string;
  artist: string;
  album: string;
  path: string;
  seconds: number | null;
  tempo: number | null;
  key: string;
  loudness: number | null;
  genre: string;
  mood: string;
  year: number | null;
  missing: boolean;
}

export interface SimilarRow {
  song: SongRow;
  similarity: number;
  reasons: string[];
  part: [number, number] | null;
}

export interface MapPoints {
  ids: number[];
  x: number[];
  y: number[];
  x_name: string;
  y_name: string;
  x_range: number[];
  y_range: number[];
  cluster: number[];
  clusters: string[];
}

export interface Pair {
  first: number;
  second: number;
  overlap: number;
  share: number;
  error: number;
  offset: number;
  speed: number;
  start: number;
  stop: number;
}

export interface Duplicates {
  groups: SongRow[][];
  pairs: Pair[];
  partial: { first: SongRow; second: SongRow; match: Pair }[];
  command: string;
}
