"""Make compact shards of freely licensed music, to train the shipped weights on, from the packages of Debian bookworm.

Run: apt-get update && python scripts/make_shards.py OUT --cache FOLDER_OF_DEBS [--seconds-per-track 52]

The list (scripts/free-music.tsv) names package, member (`archive!member` inside a zip or pk3), md5, genre and licence
of every track. Of a track longer than --seconds-per-track, up to four pieces spread evenly over it are kept. A package
is either training or validation as a whole. What cannot be had is skipped, with the reason. Made in OUT:

    train.pcm, valid.pcm    int16 little-endian, frames of two columns (left, right) at 44 100 Hz; mono is L = R
    train.json, valid.json  `frames` in the file, `pieces` (one entry each, see `piece_entry`), `packages`, `skipped`
    LICENCES.tsv            packages with version, licence and what was taken; copyright/PACKAGE: the full terms

    pcm = np.memmap("train.pcm", "<i2", "r").reshape(-1, 2); piece = pcm[p["start"] : p["start"] + p["frames"]]

Shards only grow and an index is replaced after its sound is on disk, so training may start while later packages are
still added. Interrupted, it goes on with the first package that is not complete.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import math
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from _packages import VALID, Listed, check_md5, download, open_member, read_list, unpack
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from celesta.audio import AudioWarning, probe, read
from celesta.errors import CelestaError, DataError

RATE = 44_100
FRAME_BYTES = 4
PIECES, PIECE_SECONDS = 4, 30.0


@dataclass(frozen=True)
class Piece:
    """Sound cut from a track: samples (frames, 2) int16, and what its index entry says of it."""

    samples: np.ndarray
    about: dict[str, Any]


def cuts(duration: float, seconds: float) -> list[tuple[float, float | None]]:
    """(start, length) in seconds of the pieces to keep: centres of equal parts; (0, None) keeps a short track whole."""
    if duration <= seconds:
        return [(0.0, None)]
    n = min(PIECES, math.ceil(seconds / PIECE_SECONDS))
    length = seconds / n
    return [((i + 0.5) * duration / n - length / 2, length) for i in range(n)]


def read_pieces(path: Path, seconds: float) -> Iterator[Piece]:
    """Decode a track's pieces as stereo at 44 100 Hz; what is louder than full scale is scaled down to it."""
    info = probe(path)
    if info.channels > 2:
        raise DataError(f"{info.channels} channels, expected one or two")
    plan = cuts(info.duration, seconds)
    for i, (start, length) in enumerate(plan):
        x = read(path, sample_rate=RATE, start=start, duration=length).samples
        gain = min(1.0, 32_767 / 32_768 / max(float(np.abs(x).max()), 1e-9))
        samples = np.rint(x.T * np.float32(32_768 * gain)).astype("<i2")
        about = {
            "source_rate": info.sample_rate,
            "channels": info.channels,
            "source_start": round(start, 3),
            "source_seconds": round(info.duration, 3),
            "piece": i,
            "pieces": len(plan),
            "gain": round(gain, 6),
        }
        yield Piece(np.ascontiguousarray(np.broadcast_to(samples, (len(samples), 2))), about)


def piece_entry(track: Listed, piece: Piece, start: int) -> dict[str, Any]:
    """The index entry of a piece: whose it is, where its frames lie in the shard, and how it was cut."""
    names = {"package": track.package, "member": track.member, "licence": track.licence, "genre": track.genre}
    return {**names, "start": start, "frames": len(piece.samples), **piece.about}


class Shard:
    """A growing pair of files NAME.pcm and NAME.json; only what a saved index speaks of counts."""

    def __init__(self, out: Path, name: str, list_sha256: str, seconds_per_track: float) -> None:
        self.name, self.pcm, self.json = name, out / f"{name}.pcm", out / f"{name}.json"
        fixed = {
            "format": "celesta-shard-1",
            "dtype": "<i2",
            "columns": 2,
            "sample_rate": RATE,
            "list_sha256": list_sha256,
            "seconds_per_track": seconds_per_track,
            "cut": f"tracks longer than seconds_per_track: up to {PIECES} pieces of at most {PIECE_SECONDS:g} s "
            "(longer only where that is not enough), centred in equal parts of the track",
        }
        self.index: dict[str, Any] = {**fixed, "frames": 0, "packages": {}, "skipped": [], "pieces": []}
        if self.json.exists():
            self.index = json.loads(self.json.read_text(encoding="utf-8"))
            differing = [key for key, value in fixed.items() if self.index.get(key) != value]
            if differing:
                raise DataError(f"{self.json}: made with another {', '.join(differing)}; choose another folder")
            if not self.pcm.exists() or self.pcm.stat().st_size < self.index["frames"] * FRAME_BYTES:
                raise DataError(f"{self.pcm}: shorter than its index says; delete both files and run again")

    def add(self, package: str, version: str, pieces: Iterable[tuple[Listed, Piece]], skipped: list[Any]) -> None:
        """Append a package's pieces and save; `skipped` is read after the last piece."""
        at, entries = self.index["frames"], []
        with self.pcm.open("r+b" if self.pcm.exists() else "w+b") as file:
            file.truncate(at * FRAME_BYTES)
            file.seek(0, os.SEEK_END)
            for track, piece in pieces:
                file.write(piece.samples.tobytes())
                entries.append(piece_entry(track, piece, at))
                at += len(piece.samples)
            file.flush()
            os.fsync(file.fileno())
        frames = at - self.index["frames"]
        tracks = len({entry["member"] for entry in entries})
        self.index["packages"][package] = {"version": version, "tracks": tracks, "seconds": round(frames / RATE, 1)}
        self.index["frames"] = at
        self.index["skipped"] += skipped
        self.index["pieces"] += entries
        write_text(self.json, json.dumps(self.index, indent=1))


def write_text(path: Path, text: str) -> None:
    """Replace a file as a whole."""
    partial = path.with_name(path.name + ".tmp")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def add_package(shard: Shard, deb: Path, tracks: list[Listed], seconds: float, copyrights: Path) -> list[dict]:
    """Put one package's tracks into the shard; returns the tracks that were left out, with reasons."""
    package = tracks[0].package
    terms = f"usr/share/doc/{package}/copyright"
    skipped: list[dict] = []
    with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=deb.parent) as temporary:
        folder = Path(temporary)
        unpacked = unpack(deb, {track.member.partition("!")[0] for track in tracks} | {terms}, folder)

        def pieces() -> Iterator[tuple[Listed, Piece]]:
            for track in tracks:
                try:
                    path = open_member(track.member, unpacked, folder)
                    check_md5(path, track.md5)
                    for piece in list(read_pieces(path, seconds)):  # all or none of a track
                        yield track, piece
                except CelestaError as error:
                    skipped.append({"package": package, "member": track.member, "reason": str(error)})

        if terms in unpacked:
            copyrights.mkdir(exist_ok=True)
            shutil.copyfile(unpacked[terms], copyrights / package)
        shard.add(package, unquote(deb.name.split("_")[1]), pieces(), skipped)
    return skipped


def licences(shards: Iterable[Shard]) -> str:
    """LICENCES.tsv: a row for each package and licence in the shards."""
    rows = ["package\tversion\tsplit\tlicence\ttracks\tseconds"]
    for shard in shards:
        taken: dict[tuple[str, str], tuple[set[str], int]] = {}
        for entry in shard.index["pieces"]:
            members, frames = taken.get((entry["package"], entry["licence"]), (set(), 0))
            taken[entry["package"], entry["licence"]] = (members | {entry["member"]}, frames + entry["frames"])
        for (package, licence), (members, frames) in taken.items():
            version = shard.index["packages"][package]["version"]
            rows.append(f"{package}\t{version}\t{shard.name}\t{licence}\t{len(members)}\t{frames / RATE:.1f}")
    return "\n".join(rows) + "\n"


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the folder: two runs that append to one shard would spoil it."""
    with (out / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataError(f"{out}: another run is making these shards") from error
        yield


def make(packages: dict[str, list[Listed]], list_sha256: str, out: Path, cache: Path, seconds: float) -> dict[str, str]:
    """Make or go on with the shards in `out`; returns the packages that could not be had, with reasons."""
    shards = {name: Shard(out, name, list_sha256, seconds) for name in ("train", "valid")}
    homes = {package: shards["valid" if package in VALID else "train"] for package in packages}
    wanted = [package for package in packages if package not in homes[package].index["packages"]]
    missing: dict[str, str] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # One download ahead of the decoding, in the order of the list.
    with ThreadPoolExecutor(1) as pool, Progress(*columns) as progress:
        coming: dict[str, Future[Path]] = {package: pool.submit(download, package, cache) for package in wanted}
        bar = progress.add_task("packages", total=len(packages), completed=len(packages) - len(wanted))
        try:
            for package in wanted:
                progress.update(bar, description=package)
                try:
                    deb = coming[package].result()
                    skipped = add_package(homes[package], deb, packages[package], seconds, out / "copyright")
                except (CelestaError, OSError) as error:
                    missing[package] = str(error)
                    progress.console.print(f"{package}: missing: {error}", soft_wrap=True)
                else:
                    taken = homes[package].index["packages"][package]
                    progress.console.print(f"{package}: {taken['tracks']} tracks, {taken['seconds']:.0f} s")
                    for track in skipped:
                        progress.console.print(f"  skipped {track['member']}: {track['reason']}", soft_wrap=True)
                write_text(out / "LICENCES.tsv", licences(shards.values()))
                progress.advance(bar)
        finally:
            pool.shutdown(cancel_futures=True)
    write_text(out / "LICENCES.tsv", licences(shards.values()))
    for shard in shards.values():
        hours, skips = shard.index["frames"] / RATE / 3600, len(shard.index["skipped"])
        size = shard.index["frames"] * FRAME_BYTES / 1e9
        held = f"{len(shard.index['packages'])} packages, {hours:.2f} h, {size:.2f} GB"
        print(f"{shard.name}: {held}, {skips} tracks skipped")
    return missing


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the shards")
    parser.add_argument("--list", type=Path, default=Path(__file__).with_name("free-music.tsv"))
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps the downloaded packages (3.5 GB)")
    parser.add_argument("--seconds-per-track", type=float, default=52.0, help="52 gives 6 GB in all, 120 12 GB")
    parser.add_argument("--packages", nargs="+", help="only these")
    options = parser.parse_args()
    try:
        if not 1 <= options.seconds_per_track < math.inf:
            raise DataError(f"--seconds-per-track {options.seconds_per_track}: at least 1 is needed")
        options.out.mkdir(parents=True, exist_ok=True)
        options.cache.mkdir(parents=True, exist_ok=True)
        packages = read_list(options.list)
        if unknown := set(options.packages or ()) - set(packages):
            raise DataError(f"{options.list}: names no package {', '.join(sorted(unknown))}")
        chosen = {name: packages[name] for name in packages if not options.packages or name in options.packages}
        digest = hashlib.sha256(options.list.read_bytes()).hexdigest()
        warnings.simplefilter("ignore", AudioWarning)  # a track cut short by its maker is still good sound
        with locked(options.out):
            missing = make(chosen, digest, options.out, options.cache.resolve(), options.seconds_per_track)
    except CelestaError as error:
        print(f"error: {error}")
        return 1
    print((options.out / "LICENCES.tsv").read_text(encoding="utf-8"), end="")
    for package, reason in missing.items():
        print(f"missing: {package}: {reason}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
