"""Options that several verbs share: one name, one help, one type."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_MODEL = "nested2"
"""Model of every verb that has ``-m``: ``celesta.models.registry.DEFAULT``, whose import takes long."""

Songs = Annotated[
    list[Path],
    typer.Argument(metavar="FILE|FOLDER", help="Audio files, or folders with audio files.", show_default=False),
]
CelFiles = Annotated[
    list[Path],
    typer.Argument(metavar="FILE|FOLDER", help=".cel files, or folders with .cel files.", show_default=False),
]
ModelName = Annotated[
    str, typer.Option("--model", "-m", metavar="MODEL", help="Name of a model, or the folder of a training run.")
]
SourceModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="Name of a model, or the folder of a training run. A .cel file is decoded by its own model.",
        show_default=DEFAULT_MODEL,
    ),
]
Mono = Annotated[bool, typer.Option("--mono", help="Mix all channels to one first.")]
Kbps = Annotated[
    float | None, typer.Option(metavar="KBPS", help="Bitrate of the whole file, kbit/s.", show_default=False)
]
BaseChannels = Annotated[
    int | None,
    typer.Option("--channels", "-K", min=1, metavar="K", help="Channels of the latent's base.", show_default=False),
]
Precision = Annotated[
    str,
    typer.Option(metavar="TYPE", help="Arithmetic of the network: float32, bfloat16 (faster on some CPUs) or auto."),
]
Device = Annotated[str, typer.Option(metavar="NAME", help="Where the network computes: auto, cpu, cuda or mps.")]
Backend = Annotated[
    str,
    typer.Option(metavar="NAME", help="What computes the network: torch, onnx, or auto for the model's faster one."),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing files.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit with 1 at any warning about audio, such as damage that can be read past.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Data = Annotated[
    list[Path],
    typer.Option(
        "--data",
        metavar="FOLDER|CSV",
        help="Labelled music: a folder with one sub-folder per class, GTZAN, 4QAED, or a CSV with the columns path, "
        "label, group. Repeat it for several.",
        show_default=False,
    ),
]
FEATURES = "celesta-features, musicnn, handcrafted, latent:MODEL, layers:MODEL, ..."
Features = Annotated[str, typer.Option("--features", "-f", metavar="NAME", help=f"Feature extractor: {FEATURES}")]
Cache = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Where extracted features are saved for later runs; by default in the user's cache folder, or in "
        "$CELESTA_CACHE.",
        show_default=False,
    ),
]
Lists = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Folder of GTZAN's fault-filtered lists.", show_default=False),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Encoding of CSV files, such as latin-1; by default UTF-8, or what the byte order mark says.",
        show_default=False,
    ),
]
Folds = Annotated[
    int | None,
    typer.Option(
        min=2,
        metavar="N",
        help="Number of folds; by default 5, or as many as the class with the fewest groups (artists) allows.",
        show_default=False,
    ),
]
LibraryFile = Annotated[
    Path | None,
    typer.Option(
        "--library",
        metavar="FILE",
        help="The library; by default $CELESTA_LIBRARY, else library.db in the user's data folder.",
        show_default=False,
    ),
]
Workers = Annotated[int, typer.Option(min=1, metavar="N", help="Songs that are analysed at once.")]
Engine = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Where songs are worked on: loky (processes here), or an existing cluster: dask, ray or spark.",
    ),
]
Seed = Annotated[int, typer.Option(metavar="N", help="Seed of the random numbers.")]


def seconds(text: str) -> float:
    """Read a time in a song: seconds, ``M:SS`` or ``H:MM:SS``.

    Raises:
        typer.BadParameter: the text is none of these.

    >>> seconds("1:30"), seconds("90.5"), seconds("1:00:01")
    (90.0, 90.5, 3601.0)
    """
    parts = str(text).split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    good = 1 <= len(numbers) <= 3 and all(0 <= n < float("inf") for n in numbers) and all(n < 60 for n in numbers[1:])
    if not good or not all(n == int(n) for n in numbers[:-1]):
        raise typer.BadParameter(f"{text!r} is not a time; give seconds, M:SS or H:MM:SS, such as 1:30")
    return float(sum(n * 60.0**i for i, n in enumerate(reversed(numbers))))


def cache_of(folder: Path | None) -> Path:
    """Return the folder of saved features: the one asked for, or the user's."""
    from celesta.features import cache_folder

    return cache_folder() if folder is None else folder
