"""`celesta repair`."""

from __future__ import annotations

from typing import Annotated

import typer

from celesta._files import printable
from celesta.cli import console
from celesta.cli.extend import Output, Song
from celesta.cli.options import Cache, Force, Json, cache_of, seconds
from celesta.cli.progress import working
from celesta.cli.versions import check_ends, check_stretch, result_file
from celesta.errors import UsageError


def repair(
    source: Song,
    start: Annotated[
        float | None,
        typer.Option(
            "--from", parser=seconds, metavar="TIME", help="Where the gap begins, 72.3 or 1:12.3.", show_default=False
        ),
    ] = None,
    stop: Annotated[
        float | None, typer.Option("--to", parser=seconds, metavar="TIME", help="Where it ends.", show_default=False)
    ] = None,
    silence: Annotated[bool, typer.Option("--silence", help="Find drop-outs (digital silence) and fill them.")] = False,
    output: Output = None,
    cache: Cache = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Fill a damaged or missing stretch of a song from the song itself; all other samples stay, bit for bit.

    Example: `celesta repair song.wav --from 1:12.3 --to 1:14.0 -o repaired.wav`

    Example: `celesta repair song.wav --silence`
    """
    if silence == (start is not None or stop is not None):
        raise UsageError("give either --from TIME and --to TIME, or --silence")
    if not silence and (start is None or stop is None):
        raise UsageError("a gap needs both --from TIME and --to TIME")
    check_stretch(start, stop)
    check_ends(source, start, stop)
    target = result_file(output or source.with_name(f"{source.stem}.repaired.flac"), force)
    with working("repair", "analysing the song") as meter:
        from celesta.features.cache import FeatureCache
        from celesta.variations.repair import repair_file
        from celesta.variations.sidecar import write_sidecar

        fills = repair_file(source, target, start, stop, cache=FeatureCache(cache_of(cache)), progress=meter.seconds)
        with_rate = [one.to_dict() for one in fills]
        sidecar = write_sidecar(
            target, "repair", source, {"from": start, "to": stop, "silence": silence}, {"fills": with_rate}
        )
    if as_json:
        console.emit({"source": source, "output": target, "recipe": sidecar, "fills": with_rate})
        return
    for one in with_rate:
        where = "linear prediction" if one["filled_from"] is None else f"the stretch from {one['filled_from']:.3f} s"
        if one["join"] is not None:
            where += f", from {one['join']:.3f} s on from the stretch from {one['then_from']:.3f} s"
        console.say(f"{one['from']:.3f} s to {one['to']:.3f} s filled from {where}")
    if not fills:
        console.note(f"{printable(source)}: no drop-outs were found; the result is the song")
    console.say(f"{source} -> {target}")
