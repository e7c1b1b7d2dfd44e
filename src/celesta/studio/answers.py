"""Responses of the studio's interface."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Problem(Struct):
    """What went wrong, with the remedy."""

    error: str


class Accepted(Struct):
    """A job was started."""

    job: str


class ModelInfo(Struct):
    """A model of the registry: ``scalable`` ones code to a bitrate."""

    name: str
    role: str
    description: str
    scalable: bool
    available: bool


class ParameterInfo(Struct):
    """A parameter of a variation: a number, or one of some words."""

    name: str
    kind: str
    help: str
    default: float | None
    minimum: float | None
    maximum: float | None
    flag: str


class VariationInfo(Struct):
    """A variation of the table."""

    name: str
    summary: str
    parameters: list[ParameterInfo]


class State(Struct):
    """What this studio can do."""

    version: str
    platform: str
    models: list[ModelInfo]
    default_model: str
    peers: list[str]
    variations: list[VariationInfo]
    formats: list[str]
    ladder: list[float]
    library: str | None
    longest_selection: float
    largest_upload: int
    command: str


class EntryInfo(Struct):
    """A file or folder."""

    ref: str
    name: str
    folder: bool


class FileList(Struct):
    """Files and folders."""

    entries: list[EntryInfo]
    complete: bool = True


class SongInfo(Struct):
    """A song: format, size, how to play it, and the command line that shows the same."""

    ref: str
    name: str
    path: str
    format: str
    subtype: str
    sample_rate: int
    channels: int
    seconds: float
    n_bytes: int
    kbps: float
    tags: dict[str, str]
    plays_as: str
    read_seconds: float
    complete: bool
    problem: str
    warnings: list[str]
    library_id: int | None
    command: str


class JobInfo(Struct):
    """A job."""

    id: str
    kind: str
    title: str
    state: str
    share: float | None
    left: float | None
    note: str
    seconds: float
    parts: int
    result: Any = None


class JobList(Struct):
    """All jobs that are known, without their results."""

    jobs: list[JobInfo]


class AbxAnswer(Struct):
    """The p-value of an ABX test."""

    p: float


class TextAnswer(Struct):
    """A line of text."""

    text: str


class Prepared(Struct):
    """A selection is encoded; ``samples`` is its length."""

    samples: int


class LibraryInfo(Struct):
    """What a library holds."""

    path: str
    songs: int
    analysed: int
    waiting: int
    missing: int
    hours: float
    errors: int
    folders: list[str]
    genres: list[str]
    moods: list[str]
    blocks: list[str]
    axes: list[str]


class SongRow(Struct):
    """A song of the library, as the table shows it."""

    id: int
    ref: str | None
    title: str
    artist: str
    album: str
    path: str
    seconds: float | None
    tempo: float | None
    key: str
    loudness: float | None
    genre: str
    mood: str
    year: float | None
    missing: bool


class SongRows(Struct):
    """Songs of the library, the command line that lists the same, and what is not as it was asked for."""

    songs: list[SongRow]
    command: str
    notes: list[str] = []


class SimilarRow(Struct):
    """A song, how similar it is (0 to 1), why, and the seconds of it that are most like what was asked for."""

    song: SongRow
    similarity: float
    reasons: list[str]
    part: list[float] | None = None


class SimilarRows(Struct):
    """Similar songs, and the command line that lists the same."""

    found: list[SimilarRow]
    command: str


class MapPoints(Struct):
    """Places of songs: ``x`` and ``y`` from 0 to 1, and numbers of ``clusters``, in the order of ``ids``."""

    ids: list[int]
    x: list[float]
    y: list[float]
    x_name: str
    y_name: str
    x_range: list[float]
    y_range: list[float]
    cluster: list[int] = []
    clusters: list[str] = []


class Segment(Struct):
    """A piece of a song, seconds."""

    start: float
    stop: float


class Segments(Struct):
    """The pieces by which parts of songs are compared."""

    segments: list[Segment]


class Alignment(Struct):
    """Time in the second song for a time in the first: ``offset + speed * seconds``."""

    offset: float
    speed: float
