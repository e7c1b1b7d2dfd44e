"""`celesta transform`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from celesta.cli import console
from celesta.cli.batch import each_file
from celesta.cli.checks import check_model, check_needs, model_of
from celesta.cli.files import output_folder
from celesta.cli.inputs import inputs
from celesta.cli.options import Force, Json, SourceModel, Strict
from celesta.cli.pages import SongPages
from celesta.cli.progress import working
from celesta.cli.variation_options import chosen_steps, with_variations
from celesta.cli.versions import From, To, check_ends, check_stretch, stretch_name
from celesta.errors import UsageError

if TYPE_CHECKING:
    from celesta.codec import Codec
    from celesta.report.index import SongPage
    from celesta.variations import Step


@with_variations
def transform(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="FILE|FOLDER", help="Audio files, .cel files, or folders of audio.", show_default=False),
    ],
    model: SourceModel = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Folder for the pages and audio files.")
    ] = Path("variation"),
    start: From = None,
    stop: To = None,
    recipe: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A recipe: a chain of variations as TOML, or the side file (.json) of a result.",
            show_default=False,
        ),
    ] = None,
    force: Force = False,
    strict: Strict = False,
    as_json: Json = False,
    **settings: float | None,
) -> None:
    """Change the latents of songs and decode them: a page that compares, and a FLAC file for each.

    Several songs also get a page that lists them.

    Several variations are applied in the order of this help, to the whole song; --from and --to choose what is
    decoded, and only what is needed is.

    Example: `celesta transform song.mp3 --gain 1.5`

    A recipe does the same from a file, for one song or a folder. What was done lies next to each result, as JSON; the
    same recipe gives the same bytes.

    Example: `celesta transform song.mp3 --brightness 2 --width 4`

    Example: `celesta transform albums/ --recipe warm.toml -o warm`

    Example: `celesta transform song.mp3 --noise 0.1 --seed 7 --from 0:30 --to 1:00`
    """
    console.be_strict(strict)
    check_stretch(start, stop)
    steps, named = _chain(recipe, settings)
    model = model_of(sources, model or named)
    check_model(model)
    check_needs(model, steps)
    with working("transform", "looking for files") as meter:
        found = inputs(sources)
        output_folder(output)
        meter.doing(f"loading {model}")
        from celesta import codec as codecs
        from celesta.report.variation import INDEX_HEAD, output_name, variation_index, vary_song

        codec = codecs.load(model)
        files, skip = (".flac", ".flac.json"), len(sources) > 1 or sources[0].is_dir()
        pages = SongPages(output, found, len(INDEX_HEAD), force=force, skip=skip, suffixes=files)

        def work(file: Path) -> None:
            page = pages.target(file, f"{output_name(file, codec, steps)}{stretch_name(start, stop)}", codec.name)
            if page is None:
                return
            check_ends(file, start, stop)
            made = vary_song(
                codec, file, page, steps, force=True, start=start, stop=stop,
                progress=meter.seconds, doing=meter.closing,
            )  # fmt: skip
            pages.made.append(made)
            _report(file, made, codec, steps, {"start": start, "stop": stop}, as_json=as_json)

        with pages.listed(lambda songs, target: variation_index(songs, steps, target)):
            each_file(meter, pages.songs, work, failed=found.failed, as_json=as_json)


def _report(
    file: Path,
    made: SongPage,
    codec: Codec,
    steps: Sequence[Step],
    stretch: Mapping[str, float | None],
    *,
    as_json: bool,
) -> None:
    """Write what was done next to the audio of a song, and print the page."""
    from celesta.variations.recipes import describe
    from celesta.variations.sidecar import write_sidecar

    chain = {"model": codec.name, **stretch, "step": describe(steps)}
    sidecar = write_sidecar(made.flac, "transform", file, chain, {"weights": codec.weights})
    if as_json:
        done = [{"variation": step.name, **step.settings} for step in steps]
        paths = {"source": file, "page": made.page, "audio": made.flac, "recipe": sidecar}
        console.emit({**paths, "model": codec.name, "steps": done})
    else:
        console.say(made.page)


def _chain(recipe: Path | None, settings: Mapping[str, float | None]) -> tuple[list[Step], str | None]:
    """Return the variations, of the recipe or of the options, and the model that the recipe names."""
    if recipe is None:
        return chosen_steps(settings), None
    from celesta.variations.recipes import read_recipe

    if any(value is not None for value in settings.values()):
        raise UsageError("give either --recipe or variations, not both")
    found = read_recipe(recipe)
    return list(found.steps), found.model or None
