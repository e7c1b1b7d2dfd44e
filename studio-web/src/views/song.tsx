// A song: waveform, spectrogram, facts.
import { useEffect } from "preact/hooks";
import { clock, number, size } from "../format";
import { player, take } from "../player";
import { command, selection, song, songError, songRef, view, viewport, duration } from "../state";
import { Empty } from "../parts/controls";
import { Icon } from "../parts/icons";
import { showAll, showSelection, showSpectrogram, Waveform, zoom } from "../parts/waveform";

/** What every view shows where there is no song. */
export function NoSong() {
  if (songError.value) {
    return (
      <Empty title="This song cannot be opened">
        <p role="alert">{songError.value}</p>
        <p>Choose another one from the list, or drop a file on this page.</p>
      </Empty>
    );
  }
  if (songRef.value) return <div class="loading" role="status" aria-label="Opening the song" />;
  return (
    <Empty title="Choose a song">
      <p>Pick one from the list, or drop audio files anywhere on this page.</p>
    </Empty>
  );
}

export function SongView() {
  useEffect(() => take(player), []);
  const info = song.value;
  useEffect(() => {
    command.value = info?.command ?? "";
  }, [info]);
  if (!info) return <NoSong />;
  return (
    <section class="view" aria-label="Song">
      <SongHead />
      {info.problem && (
        <p class="problem" role="alert">
          {info.problem}
        </p>
      )}
      {info.warnings.map((one) => (
        <p class="warning" key={one}>
          {one}
        </p>
      ))}
      <div class="tools" role="toolbar" aria-label="View of the song">
        <div class="group">
          <button class="quiet" aria-label="Zoom in" title="Zoom in (+)" onClick={() => zoom(0.5)}>
            <Icon name="in" />
          </button>
          <button class="quiet" aria-label="Zoom out" title="Zoom out (−)" onClick={() => zoom(2)}>
            <Icon name="out" />
          </button>
          <button class="quiet" aria-label="Show the whole song" title="Whole song (0)" onClick={showAll}>
            <Icon name="fit" />
          </button>
          <button class="quiet text" disabled={!selection.value} title="Show the selection (S)" onClick={showSelection}>
            Zoom to selection
          </button>
        </div>
        <label class="switch">
          <input type="checkbox" role="switch" checked={showSpectrogram.value} onChange={(event) => (showSpectrogram.value = event.currentTarget.checked)} />
          <span>Spectrogram</span>
        </label>
        <span class="muted number tools-range">
          {clock(viewport.value.start)} – {clock(viewport.value.stop)}
        </span>
      </div>
      <Waveform label="Position in the song" spectrogram />
      <Next />
    </section>
  );
}

export function SongHead() {
  const info = song.value!;
  const reading = !info.complete && !info.problem;
  const facts = [
    info.format === "CEL" ? `latent of ${info.subtype}` : info.format === info.subtype ? info.format : `${info.format}, ${info.subtype.replaceAll("_", " ").toLowerCase()}`,
    `${number(info.sample_rate / 1000, 3).replace(/\.?0+$/, "")} kHz`,
    info.channels === 1 ? "mono" : info.channels === 2 ? "stereo" : `${info.channels} channels`,
    clock(info.seconds, 0),
    `${Math.round(info.kbps)} kbit/s`,
    size(info.n_bytes),
  ];
  return (
    <div class="song-head">
      <div>
        <h2 title={info.name}>{info.tags.title ?? info.name}</h2>
        <p class="muted">
          {info.tags.artist ? `${info.tags.artist} · ` : ""}
          {facts.join(" · ")}
        </p>
      </div>
      {reading && (
        <div class="reading" role="status">
          <progress max={info.seconds} value={info.read_seconds} aria-label="Reading the song" />
          <span class="muted small-text number">
            read {clock(info.read_seconds, 0)} of {clock(info.seconds, 0)}
          </span>
        </div>
      )}
    </div>
  );
}

function Next() {
  const part = selection.value ? "the selection" : duration.value > 10 ? "10 s from the left of the view" : "the song";
  return (
    <div class="next">
      <button onClick={() => (view.value = "compare")}>Compare models on {part}</button>
      <button onClick={() => (view.value = "vary")}>Vary {part}</button>
      <button onClick={() => (view.value = "insights")}>Genre, mood and structure</button>
    </div>
  );
}
