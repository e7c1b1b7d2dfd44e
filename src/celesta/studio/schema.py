"""Requests and responses of the studio's interface; the page's types in ``studio-web/src/types.ts`` mirror them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

Ref = Annotated[str, Meta(max_length=12_000, description="Reference of a file: NUMBER or NUMBER/relative/path.")]
Seconds = Annotated[float, Meta(ge=0, le=1e6)]
ModelName = Annotated[str, Meta(max_length=80)]
Text = Annotated[str, Meta(max_length=400)]
SongId = Annotated[int, Meta(ge=1, le=2**53)]


class Request(Struct, forbid_unknown_fields=True, kw_only=True):
    """Base of all requests."""


class Nothing(Request, kw_only=True):
    """A request without parameters."""


class FilesRequest(Request, kw_only=True):
    """List a folder, or find files by the words of ``query``."""

    folder: Annotated[str, Meta(max_length=12_000)] = ""
    query: Text = ""


class SongRequest(Request, kw_only=True):
    """Name a song."""

    song: Ref


class Stretch(SongRequest, kw_only=True):
    """Name a stretch of a song, in seconds."""

    start: Seconds = 0.0
    stop: Seconds


class WaveformRequest(Stretch, kw_only=True):
    """Ask for the waveform of a stretch."""

    bins: Annotated[int, Meta(ge=1, le=8_192)]


class ChoiceModel(Struct, forbid_unknown_fields=True):
    """A model with its bitrate."""

    model: ModelName
    kbps: Annotated[float, Meta(ge=0.5, le=512)] | None = None
    bits: Annotated[int, Meta(ge=1, le=16)] | None = None


class CompareRequest(Stretch, kw_only=True):
    """Compare reconstructions of a stretch."""

    choices: Annotated[list[ChoiceModel], Meta(min_length=1, max_length=24)]


class LadderRequest(Stretch, kw_only=True):
    """Decode the bitrates of a scalable file of a stretch."""

    model: ModelName


class AbxRequest(Request, kw_only=True):
    """Ask for the p-value of an ABX test."""

    correct: Annotated[int, Meta(ge=0, le=1_000)]
    trials: Annotated[int, Meta(ge=1, le=1_000)]


class StepModel(Struct, forbid_unknown_fields=True):
    """A variation with its settings."""

    name: Annotated[str, Meta(max_length=60)]
    settings: Annotated[dict[Annotated[str, Meta(max_length=60)], float], Meta(max_length=40)] = {}


class PreviewRequest(Stretch, kw_only=True):
    """Change the latent of a stretch and decode it, beginning with the sample ``first`` of the stretch."""

    model: ModelName
    steps: Annotated[list[StepModel], Meta(max_length=40)] = []
    first: Annotated[int, Meta(ge=0, le=2**53)] = 0


class ExportRequest(SongRequest, kw_only=True):
    """Write a changed song or stretch."""

    model: ModelName
    steps: Annotated[list[StepModel], Meta(min_length=1, max_length=40)]
    format: Annotated[str, Meta(max_length=8)] = "flac"
    start: Seconds | None = None
    stop: Seconds | None = None


class RenderRequest(Request, kw_only=True):
    """Ask for audio that was made, or a file to download."""

    id: Annotated[str, Meta(max_length=64)]
    format: Annotated[str, Meta(max_length=8)] = ""


class JobRequest(Request, kw_only=True):
    """Name a job."""

    id: Annotated[str, Meta(max_length=64)]


class UploadRequest(Request, kw_only=True):
    """Name an uploaded file."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]


class SimilarRequest(Request, kw_only=True):
    """Ask for songs that are like one of the library, or like a (stretch of a) file."""

    id: SongId | None = None
    song: Ref | None = None
    start: Seconds | None = None
    stop: Seconds | None = None
    by: Text = ""
    n: Annotated[int, Meta(ge=1, le=200)] = 20


class SearchRequest(Request, kw_only=True):
    """Search a library."""

    text: Text = ""
    key: Annotated[str, Meta(max_length=20)] = ""
    mood: Annotated[str, Meta(max_length=40)] = ""
    genre: Annotated[str, Meta(max_length=40)] = ""
    tempo: Annotated[str, Meta(max_length=40)] = ""
    duration: Annotated[str, Meta(max_length=40)] = ""
    year: Annotated[str, Meta(max_length=40)] = ""


class PlaylistRequest(Request, kw_only=True):
    """Make a playlist: a path between two songs, or songs around seeds."""

    seeds: Annotated[list[SongId], Meta(max_length=100)] = []
    start: SongId | None = None
    end: SongId | None = None
    n: Annotated[int, Meta(ge=2, le=500)] = 15
    no_repeat_artist: bool = False


class PlaylistExportRequest(Request, kw_only=True):
    """Write a playlist file."""

    ids: Annotated[list[SongId], Meta(min_length=1, max_length=5_000)]
    format: Annotated[str, Meta(max_length=8)] = "m3u8"


class SongIdRequest(Request, kw_only=True):
    """Name a song of the library."""

    id: SongId


class AlignRequest(Request, kw_only=True):
    """Align two songs of the library, of which a search for duplicates has given the rest."""

    first: SongId
    second: SongId
    offset: Annotated[float, Meta(ge=-1e6, le=1e6)]
    speed: Annotated[float, Meta(ge=0.5, le=2)] = 1.0
    start: Seconds = 0.0
    stop: Seconds


class MapRequest(Request, kw_only=True):
    """Ask for places of all songs."""

    x: Annotated[str, Meta(max_length=40)] = ""
    y: Annotated[str, Meta(max_length=40)] = ""


def finite(value: object) -> bool:
    """Return whether no number in a request is NaN or infinite; JSON has none, query strings may."""
    if isinstance(value, float):
        return value - value == 0
    if isinstance(value, dict):
        return all(finite(one) for one in value.values())
    if isinstance(value, list):
        return all(finite(one) for one in value)
    return not isinstance(value, Struct) or finite(msgspec.structs.asdict(value))
