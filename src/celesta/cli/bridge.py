"""`celesta bridge`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli import console
from celesta.cli.checks import check_songs
from celesta.cli.options import Cache, Force, Json, cache_of
from celesta.cli.progress import clock, working
from celesta.cli.versions import AudioFile, result_file


def bridge(
    first: Annotated[Path, typer.Argument(metavar="FIRST", help="The song that comes first.", show_default=False)],
    second: Annotated[Path, typer.Argument(metavar="SECOND", help="The song that follows.", show_default=False)],
    length: Annotated[float, typer.Option(min=0.05, metavar="S", help="Seconds of the transition.")] = 8.0,
    around: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="S", help="Seconds of the songs on either side; by default all.", show_default=False
        ),
    ] = None,
    output: AudioFile = None,
    cache: Cache = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Make a transition from one song to another: best pair of places, beats together, levels matched.

    Where the tempos differ, bars are stretched during the transition only; the pitch stays. The second song is
    converted to the sample rate and channels of the first.

    Example: `celesta bridge first.mp3 second.mp3 --length 8 -o mix.flac`

    Example: `celesta bridge first.mp3 second.mp3 --length 12 --around 10`
    """
    check_songs(first, second)
    target = result_file(output or first.with_name(f"{first.stem}.to.{second.stem}.flac"), force)
    with working("bridge", "analysing the songs") as meter:
        from celesta.features.cache import FeatureCache
        from celesta.variations.bridge import bridge_file
        from celesta.variations.sidecar import write_sidecar

        made = bridge_file(
            first, second, target, length, around=around, cache=FeatureCache(cache_of(cache)), progress=meter.seconds
        )
        facts = made.to_dict()
        settings = {"length": length, "around": around}
        sidecar = write_sidecar(target, "bridge", [first, second], settings, facts)
    for text in made.notes:
        console.note(text)
    if as_json:
        console.emit({"sources": [first, second], "output": target, "recipe": sidecar, **facts})
        return
    rate = made.sample_rate
    console.say(
        f"{first} and {second} -> {target}  from {clock(made.leave / rate)} of the first to"
        f" {clock(made.enter / rate)} of the second"
    )
