"""Files and songs: lists, format, waveform, spectrogram, samples to play."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from celesta._files import printable
from celesta.audio import Audio
from celesta.dsp.spectrogram import frequencies
from celesta.errors import UsageError
from celesta.studio import commands
from celesta.studio.answers import EntryInfo, FileList, SongInfo
from celesta.studio.endpoints import BINARY, Endpoint
from celesta.studio.folders import Entry
from celesta.studio.playback import parse_range
from celesta.studio.schema import FilesRequest, SongRequest, Stretch, WaveformRequest
from celesta.studio.song import SongOverview, read_stretch
from celesta.studio.studio import Studio

PLAYED = {
    ".wav": "audio/wav", ".wave": "audio/wav", ".flac": "audio/flac", ".mp3": "audio/mpeg", ".ogg": "audio/ogg",
    ".oga": "audio/ogg", ".opus": "audio/ogg", ".m4a": "audio/mp4", ".mp4": "audio/mp4", ".aac": "audio/aac",
    ".webm": "audio/webm",
}  # fmt: skip
"""Suffixes that browsers play, with their media types; others are played as WAV."""
_MOST_SAMPLES = 400_000
_ENTRIES = 20_000


def files(studio: Studio, request: FilesRequest) -> FileList:
    """List a folder, or search."""
    found = studio.folders.find(request.query) if request.query.strip() else studio.folders.entries(request.folder)
    return FileList([_entry(one) for one in found[:_ENTRIES]], len(found) <= _ENTRIES)


def _entry(one: Entry) -> EntryInfo:
    return EntryInfo(one.ref, one.name, one.folder)


def song(studio: Studio, request: SongRequest) -> SongInfo:
    """Return the facts of a song; reading its waveform begins."""
    made = studio.song(request.song)
    facts = made.facts
    known = None if studio.library is None else studio.library.id_of(facts.path)
    return SongInfo(
        ref=request.song,
        name=printable(facts.path.name),
        path=printable(facts.path),
        format=facts.format,
        subtype=facts.subtype,
        sample_rate=facts.sample_rate,
        channels=facts.channels,
        seconds=made.seconds,
        n_bytes=facts.n_bytes,
        kbps=facts.kbps,
        tags={printable(name): printable(text)[:400] for name, text in list(facts.tags.items())[:60]},
        plays_as=PLAYED.get(facts.path.suffix.lower(), ""),
        read_seconds=made.read_seconds,
        complete=made.complete,
        problem=made.problem,
        warnings=made.warnings[:5],
        library_id=known,
        command=commands.line("info", facts.path),
    )


def _grown(made: SongOverview, body: bytes, **headers: str) -> Response:
    """Return bytes of an overview with how much of the song has been read."""
    about = {
        "x-celesta-read": f"{made.read_seconds:.3f}",
        "x-celesta-seconds": f"{made.seconds:.6f}",
        "x-celesta-complete": str(int(made.complete or bool(made.problem))),
    }
    return Response(body, media_type=BINARY, headers={**about, **headers})


def waveform(studio: Studio, request: WaveformRequest) -> Response:
    """Return ``bins`` times minimum, maximum and RMS, int16, little-endian; 32000 is full scale."""
    made = studio.song(request.song)
    return _grown(made, made.waveform(request.start, request.stop, request.bins).astype("<i2").tobytes())


def spectrogram(studio: Studio, request: Stretch) -> Response:
    """Return 512 columns of 192 levels, one byte each, the lowest frequency first."""
    made = studio.song(request.song)
    marks = [100, 300, 1_000, 3_000, 10_000]
    rows = np.interp(marks, frequencies(made.sample_rate), np.linspace(0, 1, 192))
    ticks = ",".join(f"{f}:{row:.4f}" for f, row in zip(marks, rows, strict=True) if f < made.sample_rate / 2)
    return _grown(made, made.tile(request.start, request.stop).tobytes(), **{"x-celesta-ticks": ticks})


def samples(studio: Studio, request: Stretch) -> Response:
    """Return the samples of a short stretch, mixed to mono, float32, for the closest zoom."""
    made = studio.song(request.song)
    first, last = round(request.start * made.sample_rate), round(request.stop * made.sample_rate)
    if not 0 < last - first <= _MOST_SAMPLES:
        raise UsageError(f"a stretch of at most {_MOST_SAMPLES} samples is needed")
    if made.facts.format == "CEL":
        part = studio.codecs.read(made.facts.path, request.start, request.stop).samples
    else:
        part = read_stretch(made.facts.path, first, last - first)
    return _grown(made, part.mean(axis=0).astype("<f4").tobytes())


def stretch(studio: Studio, request: Stretch) -> tuple[Path, float, float]:
    """Return the file and the seconds of a selection.

    Raises:
        UsageError: the selection is empty or too long.
    """
    made = studio.song(request.song)
    start, stop = request.start, min(request.stop, made.seconds)
    longest = studio.settings.limits.selection
    if stop - start < 0.05:
        raise UsageError(f"the selection from {start:g} to {stop:g} s is empty; select at least 0.05 s of the song")
    if stop - start > longest:
        raise UsageError(f"the selection has {stop - start:.1f} s; select at most {longest:g} s")
    return made.facts.path, start, stop


def pcm(studio: Studio, request: Stretch) -> Response:
    """Return a selection as it is in the file: float32, the channels of each sample together."""
    path, start, stop = stretch(studio, request)
    x = studio.codecs.read(path, start, stop)
    body = np.ascontiguousarray(x.samples.T, "<f4").tobytes()
    return Response(body, media_type=BINARY, headers=pcm_headers(x, x.samples.shape[1]))


def pcm_headers(x: Audio, n_samples: int) -> dict[str, str]:
    """Return what a page must know to play samples."""
    return {
        "x-celesta-rate": str(x.sample_rate),
        "x-celesta-channels": str(len(x.samples)),
        "x-celesta-samples": str(n_samples),
    }


def original(studio: Studio, request: SongRequest, http: Request) -> Response:
    """Return the bytes of a file, or a range of them."""
    path = studio.folders.path(request.song)
    kind = PLAYED.get(path.suffix.lower(), BINARY)
    return FileResponse(path, media_type=kind, headers={"cache-control": "private, max-age=60"})


def wav(studio: Studio, request: SongRequest, http: Request) -> Response:
    """Return a song as WAV, or a range of it; it is decoded as far as it is asked for."""
    made = studio.wav(request.song)
    headers = {"accept-ranges": "bytes", "cache-control": "private, max-age=60"}
    try:
        wanted = parse_range(http.headers.get("range", ""), made.size)
    except UsageError as error:
        return Response(str(error), 416, {"content-range": f"bytes */{made.size}"}, media_type="text/plain")
    first, last = wanted or (0, made.size)
    headers["content-length"] = str(last - first)
    if wanted:
        headers["content-range"] = f"bytes {first}-{last - 1}/{made.size}"
    pieces: Iterator[bytes] = made.read(first, last)
    return StreamingResponse(pieces, 206 if wanted else 200, headers, media_type="audio/wav")


ENDPOINTS = (
    Endpoint("GET", "/files", FilesRequest, FileList, files),
    Endpoint("GET", "/song", SongRequest, SongInfo, song),
    Endpoint("GET", "/waveform", WaveformRequest, None, waveform),
    Endpoint("GET", "/spectrogram", Stretch, None, spectrogram),
    Endpoint("GET", "/samples", Stretch, None, samples),
    Endpoint("GET", "/pcm", Stretch, None, pcm),
    Endpoint("GET", "/audio", SongRequest, None, original, raw=True),
    Endpoint("GET", "/wav", SongRequest, None, wav, raw=True),
)
