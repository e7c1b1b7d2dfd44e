"""demo, reconstruct, compare, transform."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from celesta.cli.console import bar, each_file, out, table
from celesta.errors import UsageError

SHIPPED = ("nested", "cel-lr", "cel-silu", "cel-2", "cel-3", "linear-64", "pca-64", "sparse-64")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(demo)
    app.command()(reconstruct)
    app.command()(compare)
    app.command()(transform)


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the page.")] = Path("demo-report"),
    models: Annotated[list[str] | None, typer.Option("--model", "-m", help="Only these models.")] = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="Only so much of each clip.")] = None,
) -> None:
    """Take the music that ships with Celesta through every model; write one HTML page to look at and listen to.

    Example: `celesta demo -o demo-report`
    """
    from celesta.report.demo import build_demo

    with bar() as progress:
        task = progress.add_task("demo", total=None)

        def told(text: str, done: int, total: int) -> None:
            progress.update(task, description=text[:50], completed=done, total=total)

        result = build_demo(output, tuple(models or SHIPPED), seconds=seconds, progress=told)
    _print_scores("Means over the clips", result.rows)
    out.print(f"report: {result.page}", markup=False, soft_wrap=True)


def reconstruct(
    sources: Annotated[list[Path], typer.Argument(metavar="FILE...", show_default=False)],
    model: Annotated[str, typer.Option("--model", "-m", help="A model's name or a run folder.")] = "cel-silu",
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for pages and sounds.")] = Path(
        "reconstructed"
    ),
) -> None:
    """Encode and decode any song: a page with figures, sounds and figures of merit for each.

    Example: `celesta reconstruct song.mp3 -m cel-3`
    """
    from celesta import codec as codecs
    from celesta.audio import find_audio
    from celesta.report.reconstruct import reconstruct_page

    codec = codecs.load(model)
    files = [file for source in sources for file in find_audio(source)]
    if not files:
        raise UsageError(f"{sources[0]}: no sound files")
    each_file(files, "reconstruct", lambda file, _: out.print(str(reconstruct_page(codec, file, output)), markup=False))


def compare(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Names or run folders.", show_default=False)],
    data: Annotated[list[Path], typer.Option("--data", help="Folder of music; several.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the page and JSON.")] = Path("comparison"),
    seconds: Annotated[float, typer.Option(min=1, help="Seconds taken of each file.")] = 15,
    limit: Annotated[int, typer.Option(min=1, help="At most so many files, spread evenly.")] = 20,
    rate_distortion: Annotated[
        bool, typer.Option("--rates/--no-rates", help="Also draw quality against kbit/s.")
    ] = True,
) -> None:
    """Compare models on music: table, quality against floats a second and against kbit/s, waveforms.

    On GTZAN with its lists only test tracks are taken.

    Example: `celesta compare cel-3 linear-64 sparse-64 runs/mine --data music/`
    """
    from celesta.report.compare import compare as run_compare

    with bar() as progress:
        task = progress.add_task("compare", total=None)

        def told(text: str, done: int, total: int) -> None:
            progress.update(task, description=text[:50], completed=done, total=total)

        result = run_compare(models, data, seconds=seconds, limit=limit, rate_distortion=rate_distortion, progress=told)
    output.mkdir(parents=True, exist_ok=True)
    result.to_json(output / "compare.json")
    page = result.to_html(output / "compare.html")
    _print_scores("Means over the files", result.rows)
    out.print(f"report: {page or output / 'compare.html'}", markup=False, soft_wrap=True)


def transform(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A sound file.", show_default=False)],
    model: Annotated[str, typer.Option("--model", "-m", help="A model's name or a run folder.")] = "cel-silu",
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the page and the sound.")] = Path(
        "variation"
    ),
    gain: Annotated[float | None, typer.Option(help="Multiply the latent.")] = None,
    noise: Annotated[float | None, typer.Option(min=0, help="Add noise, relative to each channel's spread.")] = None,
    smooth: Annotated[int | None, typer.Option(min=1, help="Average over so many frames.")] = None,
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite what is there.")] = False,
) -> None:
    """Change a song's latent and listen: the steps given are applied in the order gain, noise, smooth.

    Example: `celesta transform song.mp3 --gain 1.5`

    Example: `celesta transform song.mp3 --noise 0.1 --seed 7 --smooth 5`
    """
    from celesta import codec as codecs
    from celesta.report.variation import variation_page
    from celesta.variations.basic import Step

    steps = []
    if gain is not None:
        steps.append(Step("gain", gain))
    if noise is not None:
        steps.append(Step("noise", noise, seed))
    if smooth is not None:
        steps.append(Step("smooth", smooth))
    if not steps:
        raise UsageError("transform: give at least one of --gain, --noise, --smooth")
    out.print(str(variation_page(codecs.load(model), source, output, steps, force=force)), markup=False)


def _print_scores(title: str, rows: Sequence[Any]) -> None:
    """Means of each model over the clips, in the order the models came."""
    by_model: dict[str, list[Any]] = {}
    for row in rows:
        by_model.setdefault(row.model, []).append(row)

    def mean(found: list[Any], field: str) -> float:
        return float(sum(getattr(row, field) for row in found) / len(found))

    title += ", mono at the model's rate; ratio: floats per input sample;"
    title += " kbit/s where coded; SDR: SI-SDR in dB; enc, dec: seconds of audio a second"
    table(
        title,
        ["model", "latent", "floats/s", "ratio", "kbit/s", "MSE", "SDR", "mel", "enc", "dec"],
        [
            [
                name,
                "x".join(map(str, found[0].latent_shape)),
                f"{found[0].floats_per_second / 1000:,.1f}k",
                f"{found[0].ratio:.2g}",
                "-" if found[0].kbps is None else f"{mean(found, 'kbps'):.0f}",
                f"{mean(found, 'mse'):.5f}",
                f"{mean(found, 'si_sdr'):.1f}",
                f"{mean(found, 'mel'):.2f}",
                f"{mean(found, 'encode_speed'):.0f}",
                f"{mean(found, 'decode_speed'):.0f}",
            ]
            for name, found in by_model.items()
        ],
    )
