"""List the files that a verb works on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from celesta._files import printable
from celesta._names import check_the_path
from celesta.audio import AUDIO_SUFFIXES, find_audio, find_files, probe
from celesta.cli import console
from celesta.cli.process import reason
from celesta.errors import AudioError, CelestaError, DataError


class Inputs(list[tuple[Path, Path]]):
    """Files with their paths inside their source.

    Attributes:
        failed: number of sources that are missing or hold nothing, each of which was reported.
    """

    failed = 0

    @property
    def files(self) -> list[Path]:
        """The files alone."""
        return [file for file, _ in self]


def find_songs(source: Path) -> list[Path]:
    """List the audio files below a folder; a file stands for itself.

    Raises:
        DataError: it is a .cel file.
    """
    from celesta.latents import is_cel

    if is_cel(source) and source.is_file():
        name = printable(source)
        raise DataError(
            f"{name}: is a latent already; for audio: celesta decode {name}; for a smaller file:"
            f" celesta truncate {name} --kbps 6 -o small.cel"
        )
    return find_audio(source)


def find_cel(source: Path) -> list[Path]:
    """List the .cel files below a folder, whatever the case of their suffix; a file stands for itself.

    Raises:
        DataError: it is an audio file, or only called like one.
    """
    if source.suffix.lower() in AUDIO_SUFFIXES and source.is_file():
        name = printable(source)
        try:
            probe(source)
        except AudioError:
            raise DataError(f"{name}: is neither a .cel file nor audio that can be read; check the path") from None
        raise DataError(f"{name}: is an audio file, not a .cel file; make one first: celesta encode {name}")
    return find_files(source, (".cel",))


def find_both(source: Path) -> list[Path]:
    """List the audio files and .cel files below a folder; a file stands for itself."""
    return find_files(source, AUDIO_SUFFIXES | {".cel"})


def inputs(sources: Sequence[Path], find: Callable[[Path], list[Path]] = find_audio) -> Inputs:
    """List the files of all sources with their paths inside the source; a source without any is reported.

    Raises:
        CelestaError: there is one source, and it is missing or holds nothing.
    """
    found = Inputs()
    for source in sources:
        try:
            files = find(source) if source.exists() or source.is_symlink() else None
            if files is None:
                raise DataError(f"{printable(source)}: no such file or folder; {check_the_path(source)}")
            if not files:
                what = ".cel" if find is find_cel else "audio or .cel" if find is find_both else "audio"
                raise DataError(f"{printable(source)}: there are no {what} files in this folder")
        except (CelestaError, OSError) as error:
            if len(sources) == 1:
                raise
            console.fail(reason(error) if isinstance(error, OSError) else error)
            found.failed += 1
            continue
        inside = source.is_dir()
        found += [(file, file.relative_to(source) if inside else Path(file.name)) for file in files]
    return found
