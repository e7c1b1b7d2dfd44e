"""`celesta extend`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from celesta._files import printable
from celesta.cli import console
from celesta.cli.options import Cache, Force, Json, Seed, seconds
from celesta.cli.progress import clock, working
from celesta.cli.versions import result_file
from celesta.errors import UsageError

if TYPE_CHECKING:
    from celesta.variations.loop import Loop

Song = Annotated[
    Path, typer.Argument(metavar="FILE", help="An audio file, or a .cel file, which is decoded.", show_default=False)
]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", help="The audio file; by default next to the source, as FLAC."),
]
Page = Annotated[
    bool, typer.Option("--page", help="Write a page too: self-similarity, sections, jumps to see and to play.")
]


def extend(
    source: Song,
    to: Annotated[
        float | None,
        typer.Option(
            "--to", parser=seconds, metavar="TIME", help="Length of the result, 10:00 or 157.5.", show_default=False
        ),
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Write the best seamless loop instead.")] = False,
    shortest: Annotated[
        float, typer.Option(min=0.1, metavar="S", help="With --loop: seconds of the loop at least.")
    ] = 2.0,
    longest: Annotated[
        float | None,
        typer.Option(min=0.1, metavar="S", help="With --loop: seconds of the loop at most.", show_default=False),
    ] = None,
    intro: Annotated[bool, typer.Option("--intro", help="With --loop: write what is before the loop too.")] = False,
    output: Output = None,
    page: Page = False,
    seed: Seed = 0,
    cache: Cache = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Make a song longer or shorter, exact to the sample, or find its best loop; all from its own samples.

    The result begins with the first 5 s of the song and ends with its last 3 s. Loops have the tags that players and
    samplers read: a smpl chunk in .wav, LOOPSTART and LOOPLENGTH in .flac and .ogg. What was done lies next to the
    result, as JSON.

    Example: `celesta extend song.mp3 --to 10:00`

    Example: `celesta extend song.mp3 --to 2:37.000 -o edit.wav --page`

    Example: `celesta extend song.mp3 --loop --shortest 8 --longest 30 -o loop.wav`
    """
    if loop == (to is not None):
        raise UsageError("give either --to TIME or --loop")
    if to is not None and to < 1:
        raise UsageError(f"--to {to:g}: the result must have 1 s at least")
    if loop and longest is not None and longest <= shortest:
        raise UsageError(f"--shortest {shortest:g} --longest {longest:g}: the shortest loop must be the shorter one")
    suffix = "loop" if loop else "extended"
    target = result_file(output or source.with_name(f"{source.stem}.{suffix}.flac"), force)
    with working("extend", "analysing the song") as meter:
        from celesta.cli.options import cache_of
        from celesta.features.cache import FeatureCache
        from celesta.variations.analysis import analyse
        from celesta.variations.loop import check_lengths
        from celesta.variations.material import Material
        from celesta.variations.sidecar import write_sidecar

        with Material(source) as song:
            if loop:
                check_lengths(shortest, longest, song)
            analysis = analyse(song, cache=FeatureCache(cache_of(cache)), progress=meter.seconds)
            if loop:
                from celesta.report.extension import loop_page
                from celesta.variations.loop import find_loops, write_loop

                meter.doing("choosing loops")
                loops = find_loops(song, analysis=analysis, shortest=shortest, longest=longest)
                if not loops:
                    raise UsageError(f"{printable(source)}: no stretch of it loops; allow other lengths")
                meter.doing(f"writing {target.name}")
                write_loop(song, loops[0], target, intro=intro)
                if page:
                    meter.doing("writing the page")
                facts = {"loops": [one.to_dict(song.sample_rate) for one in loops]}
                made = loop_page(song, analysis, loops, target.with_suffix(".html"), target) if page else None
                text = _described(loops[0], song.sample_rate)
            else:
                from celesta.report.extension import extension_page
                from celesta.variations.extend import plan_extension, samples_of, write_extension

                assert to is not None
                meter.doing("choosing jumps")
                plan = plan_extension(song, analysis, samples_of(to, song), seed=seed)
                meter.doing(f"writing {target.name}")
                write_extension(song, plan, target, meter.seconds)
                facts = plan.to_dict()
                if page:
                    meter.doing("writing the page")
                made = extension_page(song, analysis, plan, target.with_suffix(".html"), target) if page else None
                jumps = sum(join.kind == "jump" for join in plan.joins)
                text = f"{clock(plan.n_samples / plan.sample_rate)}, {plan.n_samples:,} samples, jumps: {jumps}"
                for one in plan.notes:
                    console.note(one)
        sidecar = write_sidecar(target, "extend", source, {"to": to, "loop": loop, "seed": seed}, facts)
    if as_json:
        console.emit({"source": source, "output": target, "page": made, "recipe": sidecar, **facts})
        return
    console.say(f"{source} -> {target}  {text}")
    if made is not None:
        console.say(made)


def _described(loop: Loop, sample_rate: int) -> str:
    """Say how long a loop is, and where it lies in the song."""
    length, begin, end = loop.stop - loop.start, loop.start / sample_rate, loop.stop / sample_rate
    long = f"a loop of {length / sample_rate:.3f} s, {length:,} samples, {loop.beats} beats"
    return f"{long}; in the song from {begin:.3f} s to {end:.3f} s"
