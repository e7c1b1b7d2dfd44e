"""`celesta train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from celesta import _device
from celesta.cli import console
from celesta.cli.checks import check_model
from celesta.cli.dataclass_options import with_options
from celesta.cli.files import folder_name
from celesta.cli.options import Json, Lists
from celesta.cli.process import SAVED
from celesta.cli.progress import Meter, working
from celesta.errors import UsageError
from celesta.training.config import TrainConfig


@with_options(TrainConfig, skip=("model", "data", "lists"), panel="Settings of the run")
def train(
    context: typer.Context,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", metavar="MODEL", help="Model to train, such as cel-2 or pca-64.", show_default=False
        ),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="FOLDER", help="Folder of music; repeat it for several.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER", help="Folder of the new run.", show_default=False),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Continue the run in this folder; of the settings only --steps can be changed.",
            show_default=False,
        ),
    ] = None,
    lists: Lists = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at an unreadable file instead of skipping it.")
    ] = False,
    as_json: Json = False,
    **settings: Any,
) -> None:
    """Train a model on music, or continue a run after an interruption.

    Ctrl-C or SIGTERM saves the state and exits with 75.

    Example: `celesta train -m cel-2 --data music/ -o runs/cel-2`

    Example: `celesta train --resume runs/cel-2 --steps 20000`
    """
    if (resume is None) == (model is None):
        raise UsageError("give either --model with --data and --output, or --resume RUN")
    run = resume or output
    if run is None or (model is not None and not data):
        raise UsageError("a new run needs --model, --data and --output")
    ignored = [name for name in (*settings, "data", "output", "lists") if name != "steps" and _given(context, name)]
    if resume is not None and ignored:
        name = ignored[0].replace("_", "-")
        raise UsageError(f"--resume: of the settings only --steps can be changed, not --{name}")
    if resume is None:
        folder_name(run)
    _device.require_torch("celesta train")
    if model is not None:
        check_model(model)
    with working("train", "loading", parts=True) as meter:
        from celesta.training import run as runs
        from celesta.training.loop import Interrupted

        options = _callbacks(meter, strict)
        try:
            if resume is not None:
                facts = runs.go_on(run, steps=settings["steps"] if _given(context, "steps") else None, **options)
            else:
                assert model is not None
                paths = tuple(str(path) for path in data or ())
                config = TrainConfig(model=model, data=paths, lists=str(lists or ""), **settings)
                facts = runs.start(run, config, **options)
        except Interrupted as stop:
            console.note(f"stopped at step {stop.step}, saved; continue with: celesta train --resume {run}")
            raise typer.Exit(SAVED) from None
    if as_json:
        console.emit({"run": run, **facts})
        return
    console.say(f"{run}: {facts['step']} steps, best validation error {facts['best']:.5f}")
    console.say(f"use it: celesta encode song.mp3 -m {run}")


def _given(context: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line, so that its default does not count."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _callbacks(meter: Meter, strict: bool) -> dict[str, Any]:
    """Make the functions that a run calls with its progress."""
    from celesta.training.loop import Progress

    def watch(p: Progress) -> None:
        facts = f"loss {p.loss:.5f}, {p.audio_per_second:.1f} s of audio/s"
        meter.steps(facts, p.step, p.steps)
        if p.valid is not None:
            console.note(f"step {p.step}/{p.steps}  {facts}  validation {p.valid:.5f}")

    return {
        "doing": meter.doing,
        "strict": strict,
        "watch": watch,
        "decoded": lambda done, total: meter.steps("decoding", done, total),
        "skipped": lambda file, reason: console.warn(f"skipped {file}: {reason}"),
    }
