"""Encode many songs in an engine's workers, which get paths and write .cel files; a manifest records what is done."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celesta._engine import Engine, Lost
from celesta._files import printable
from celesta.codec.codec import Codec
from celesta.codec.loading import load
from celesta.errors import CelestaError, DataError
from celesta.latents import WrittenFile
from celesta.models.registry import DEFAULT


@dataclass(frozen=True)
class EncodedFile:
    """What became of one song of :func:`encode_files`.

    Attributes:
        source: the song.
        target: its .cel file.
        written: size and bitrate; None where encoding failed.
        error: why it failed, "" where it did not.
        warnings: about the song.

    Example:
        >>> made = EncodedFile(Path("song.mp3"), Path("song.cel"), error="song.mp3: no such file")
        >>> made.written is None, made.error
        (True, 'song.mp3: no such file')
    """

    source: Path
    target: Path
    written: WrittenFile | None = None
    error: str = ""
    warnings: list[str] = field(default_factory=list)


class Manifest:
    """A file of JSON lines, one for each song that was encoded, which the next call continues.

    A line is appended when a song is done; a line that was cut off by a crash is ignored.

    Args:
        path: the file; made when the first song is done.
        settings: options of the encoding; songs that were encoded with other ones are not done.

    Raises:
        DataError: the file is there and is no manifest.

    Example:
        >>> from celesta.latents import WrittenFile
        >>> settings = {"model": "linear-16"}
        >>> manifest = Manifest(Path("done.jsonl"), settings)
        >>> size = Path("song.cel").stat().st_size
        >>> made = WrittenFile(Path("song.cel"), size, 3.0)
        >>> manifest.add(EncodedFile(Path("song.mp3"), Path("song.cel"), made))
        >>> Manifest(Path("done.jsonl"), settings).made_from(Path("song.cel"), Path("song.mp3"))
        True
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        self._settings = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:16]
        self._done: dict[str, dict[str, Any]] = {}
        try:
            data = path.read_bytes() if path.exists() else b""
        except OSError as error:
            raise DataError(f"{printable(path)}: cannot be read ({error.strerror})") from None
        self._whole = data.rfind(b"\n") + 1
        if data and not self._whole and not data.startswith(b"{"):
            raise DataError(f"{printable(path)}: is not a manifest; choose another file")
        for number, line in enumerate(data[: self._whole].splitlines(), start=1):
            try:
                row = json.loads(line)
                self._done[row["target"]] = row
            except (ValueError, TypeError, KeyError):
                raise DataError(f"{printable(path)}: line {number} is not of a manifest; choose another file") from None

    def made_from(self, target: Path, source: Path) -> bool | None:
        """Whether a target was made from a source as it is now, with these settings.

        Args:
            target: the .cel file.
            source: the song.

        Returns:
            True, or None where that is not known.
        """
        row = self._done.get(os.path.abspath(target))
        if row is None:
            return None
        try:
            same = row["bytes"] == os.stat(target).st_size and row["stamp"] == _stamp(source)
        except OSError:
            return None
        return True if same and row["settings"] == self._settings else None

    def add(self, made: EncodedFile) -> None:
        """Record a song that is done.

        Args:
            made: what became of the song; one that failed is not recorded.

        Raises:
            DataError: the file cannot be written.
        """
        if made.written is None:
            return
        row: dict[str, Any] = {
            "source": os.path.abspath(made.source),
            "target": os.path.abspath(made.target),
            "stamp": _stamp(made.source),
            "settings": self._settings,
            "bytes": made.written.n_bytes,
            "seconds": made.written.seconds,
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("r+b" if self.path.exists() else "xb") as file:
                file.truncate(self._whole)  # what a crash cut off
                file.seek(self._whole)
                file.write(json.dumps(row).encode() + b"\n")
                self._whole = file.tell()
        except OSError as error:
            raise DataError(f"{printable(self.path)}: cannot be written ({error.strerror})") from None
        self._done[row["target"]] = row


def _stamp(path: Path) -> list[int]:
    about = os.stat(path)
    return [about.st_size, about.st_mtime_ns]


@dataclass(frozen=True)
class _Task:
    """A song to be encoded, small enough to be sent."""

    source: Path
    target: Path
    codec: tuple[str, str, str, str]
    options: tuple[tuple[str, Any], ...]


def encode_files(
    targets: Mapping[Path, Path],
    model: str = DEFAULT,
    *,
    engine: str = "loky",
    workers: int | None = None,
    device: str = "auto",
    precision: str = "float32",
    backend: str = "auto",
    manifest: Manifest | None = None,
    **options: Any,
) -> Iterator[EncodedFile]:
    """Encode songs to .cel files in several processes, on this machine or on a cluster.

    Workers read and write the files themselves: on a cluster, every worker must see them at the same absolute paths. A
    file's name appears when it is complete. A song whose worker is lost is encoded again by another one.

    Args:
        targets: song to its .cel file; their folders must exist.
        model: see :func:`celesta.load`.
        engine: ``loky``, ``dask``, ``ray`` or ``spark``; see ``docs/how-to/cluster.md``.
        workers: processes; by default as many as there are.
        device: see :func:`celesta.load`.
        precision: see :func:`celesta.load`.
        backend: see :func:`celesta.load`.
        manifest: gets a line for each song that is done.
        options: of :meth:`celesta.codec.Codec.encode_file`.

    Yields:
        What became of each song, in groups as they are done.

    Raises:
        UsageError: there is no such engine, or it is not installed.

    Example:
        >>> from celesta.codec import encode_files
        >>> songs = [Path("music/a.ogg"), Path("music/b.ogg")]
        >>> targets = {song: Path(song.stem + ".cel") for song in songs}
        >>> made = list(encode_files(targets, "linear-16", workers=1))
        >>> sorted(str(one.target) for one in made if not one.error)
        ['a.cel', 'b.cel']
    """
    how = (model, device, precision, backend)
    given = tuple(sorted(options.items()))
    tasks = [_Task(Path(os.path.abspath(a)), Path(os.path.abspath(b)), how, given) for a, b in targets.items()]
    names = dict(zip(tasks, targets.items(), strict=True))
    pool = Engine(engine, workers)
    if not tasks:
        return
    with pool:
        for task, result in pool.run(_encode, tasks):
            source, target = names[task]
            if isinstance(result, Lost):
                made = EncodedFile(source, target, None, f"{printable(source)}: its worker was lost: {result.reason}")
            else:
                made = EncodedFile(source, target, result.written, result.error, result.warnings)
            if manifest is not None:
                manifest.add(made)
            yield made


@functools.lru_cache(maxsize=1)
def _codec(model: str, device: str, precision: str, backend: str) -> Codec:
    return load(model, device=device, precision=precision, backend=backend)


def _encode(task: _Task) -> EncodedFile:
    """Run in a worker."""
    name, written, error = printable(task.source), None, ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            written = _codec(*task.codec).encode_file(task.source, task.target, **dict(task.options))
        except CelestaError as failure:
            error = str(failure)
        except OSError as failure:
            error = f"{name}: {failure.strerror or failure}"
        except Exception as failure:
            error = f"{name}: unexpected {type(failure).__name__}: {failure}; please report it"
    said = [str(one.message) for one in caught if issubclass(one.category, UserWarning)]
    return EncodedFile(task.source, task.target, written, error, said)
