"""The codec beside Opus and MP3, at real file sizes: SI-SDR, mel distance, ViSQOL where it is installed; speed.

Run: python benchmarks/codec.py --data GTZAN [--stereo cache/free-music] [--model nested] [--clips 50] [--seconds 15]

Sizes are those of the files, headers included. Intervals are over clips (bootstrap, 95 %). For each rate of ours the
peers' scores at the same and at twice the rate are read off their own curves, between their measured sizes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from celesta import audio, codec, datasets, metrics, scalable
from celesta.audio import Audio
from celesta.rate import MP3_KBPS, through

OURS_MONO, OURS_STEREO = (1.5, 3, 6, 9, 12, 24, 64), (3, 6, 12, 24, 48, 96)
OPUS_MONO, OPUS_STEREO = (6, 8, 12, 16, 24, 32, 48), (8, 12, 16, 24, 32, 48, 64, 96, 128)
Score = dict[str, float]


def visqol() -> Callable[[Audio, Audio], float] | None:
    """ViSQOL in audio mode (48 kHz, mono), if it is installed."""
    try:
        from visqol import VisqolApi
    except ImportError:
        return None
    api = VisqolApi()
    api.create(mode="audio")

    def measure(x: Audio, y: Audio) -> float:
        pair = [
            audio.resample(s.samples.mean(0, keepdims=True), s.sample_rate, 48_000)[0].astype(float) for s in (x, y)
        ]
        n = min(map(len, pair))
        return float(api.measure_from_arrays(pair[0][:n], pair[1][:n], sample_rate=48_000).moslqo)

    return measure


def clips_of(args: argparse.Namespace) -> tuple[list[Audio], list[Audio]]:
    tracks = [t for t in datasets.load([args.data]) if t.split == "test"]
    chosen = [tracks[round(i)] for i in np.linspace(0, len(tracks) - 1, min(args.clips, len(tracks)))]
    mono = [audio.read(t.path, mono=True, start=5, duration=args.seconds) for t in chosen]
    stereo = []
    if args.stereo:
        index = json.loads((args.stereo / "valid.json").read_text())["pieces"]
        pcm = np.memmap(args.stereo / "valid.pcm", "<i2", "r").reshape(-1, 2)
        for i in np.linspace(0, len(index) - 1, min(args.clips, len(index))):
            piece = index[round(i)]
            n = min(piece["frames"], round(args.seconds * 44_100))
            x = pcm[piece["start"] : piece["start"] + n].astype(np.float32).T / 32_768
            stereo.append(Audio(x, 44_100))
    return mono, stereo


def score(x: Audio, y: Audio, size: int, listen: Callable[[Audio, Audio], float] | None) -> Score:
    n = min(x.samples.shape[1], y.samples.shape[1])
    a, b = x.samples[:, :n], y.samples[:, :n]
    made = {"kbps": size * 8 / (n / x.sample_rate) / 1000}
    made |= {"SI-SDR": metrics.si_sdr(a, b), "mel": metrics.mel_distance(a, b, x.sample_rate)}
    if listen:
        made["ViSQOL"] = listen(Audio(a, x.sample_rate), Audio(b, x.sample_rate))
    return made


def ours(
    coder: codec.Codec, clips: list[Audio], kbps: float, listen: Callable | None
) -> tuple[list[Score], float, float]:
    scores, encoding, decoding, seconds = [], 0.0, 0.0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.cel"
        for clip in clips:
            began = time.perf_counter()
            scalable.encode_file(coder, clip, file, scalable.Target(kbps=kbps))
            middle = time.perf_counter()
            coder.decode_file(file, Path(folder) / "x.wav")
            encoding, decoding = encoding + middle - began, decoding + time.perf_counter() - middle
            seconds += clip.samples.shape[1] / clip.sample_rate
            scores.append(score(clip, audio.read(Path(folder) / "x.wav"), file.stat().st_size, listen))
    return scores, seconds / encoding, seconds / decoding


def peer(clips: list[Audio], suffix: str, kbps: float, listen: Callable | None) -> list[Score]:
    options = (
        ["-c:a", "libopus", "-vbr", "on", "-application", "audio"] if suffix == ".opus" else ["-c:a", "libmp3lame"]
    )
    program = shutil.which("ffmpeg")
    assert program
    scores = []
    for clip in clips:
        bits, back = through(program, clip, suffix, [*options, "-b:a", f"{kbps}k"])
        scores.append(score(clip, back, bits // 8, listen))
    return scores


def show(name: str, scores: list[Score], note: str = "") -> None:
    cells = []
    rng = np.random.default_rng(0)
    for key in scores[0]:
        values = np.array([s[key] for s in scores])
        low, high = np.percentile(values[rng.integers(0, len(values), (1000, len(values)))].mean(1), [2.5, 97.5])
        cells.append(f"{key} {values.mean():7.2f} ({low:.2f} to {high:.2f})")
    print(f"{name:12s} " + "   ".join(cells) + f"   {note}", flush=True)


def bench(
    title: str, coder: codec.Codec, clips: list[Audio], rates: tuple, opus: tuple, listen: Callable | None
) -> None:
    print(f"\n{title}: {len(clips)} clips")
    peers: list[list[Score]] = []
    if shutil.which("ffmpeg"):
        for kbps in opus:
            peers.append(peer(clips, ".opus", kbps, listen))
            show(f"opus {kbps}", peers[-1])
        for kbps in MP3_KBPS[:3]:
            try:
                show(f"mp3 {kbps}", peer(clips, ".mp3", kbps, listen))
            except Exception as error:  # this ffmpeg lacks the encoder, or refuses the rate
                print(f"mp3 {kbps}: {error}")
    for kbps in rates:
        scores, encode, decode = ours(coder, clips, kbps, listen)
        show(f"{coder.name[-12:]} {kbps}", scores, f"encode {encode:.0f}, decode {decode:.0f} s/s")
        if not peers:
            continue
        size = np.mean([s["kbps"] for s in scores])
        curve = np.array([[np.mean([s[k] for s in p]) for k in p[0]] for p in peers])
        for factor in (1, 2):
            if not curve[0, 0] <= factor * size <= curve[-1, 0]:
                continue
            verdicts = []
            for column, key in enumerate(peers[0][0]):
                if key == "kbps":
                    continue
                theirs = np.interp(factor * size, curve[:, 0], curve[:, column])
                mine = np.mean([s[key] for s in scores])
                better = mine <= theirs if key == "mel" else mine >= theirs
                verdicts.append(f"{key} {theirs:.2f} {'met' if better else f'MISSED by {abs(mine - theirs):.2f}'}")
            print(f"    Opus at {factor} x {size:.1f} kbit/s: " + ", ".join(verdicts), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="GTZAN with its lists")
    parser.add_argument("--stereo", type=Path, help="folder of shards with valid.pcm")
    parser.add_argument("--model", default="nested")
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--no-visqol", action="store_true")
    args = parser.parse_args()
    listen = None if args.no_visqol else visqol()
    if listen is None:
        print("without ViSQOL (pip install 'celesta[quality]')")
    coder = codec.load(args.model)
    mono, stereo = clips_of(args)
    bench("22.05 kHz mono, GTZAN test list", coder, mono, OURS_MONO, OPUS_MONO, listen)
    if stereo:
        bench("44.1 kHz stereo, validation packages", coder, stereo, OURS_STEREO, OPUS_STEREO, listen)


if __name__ == "__main__":
    main()
