"""`celesta train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import TextColumn

from celesta.cli.console import bar, err, out
from celesta.errors import UsageError

EXIT_INTERRUPTED = 75  # EX_TEMPFAIL: the state is saved, run again with --resume


def train(
    context: typer.Context,
    model: Annotated[str | None, typer.Option("--model", "-m", help="What to train, such as cel-2 or pca-64.")] = None,
    data: Annotated[list[Path] | None, typer.Option("--data", help="Folder of music, GTZAN or 4QAED; several.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Folder of the new run.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Folder of a run to go on with, to the bit.")] = None,
    lists: Annotated[Path | None, typer.Option(help="Folder of GTZAN's filtered lists.")] = None,
    begin: Annotated[str, typer.Option(help="Model or run whose weights to begin with.")] = "",
    steps: Annotated[int, typer.Option(min=1, help="Of the whole run; the rate falls to zero with them.")] = 12_000,
    batch: Annotated[int, typer.Option(min=1, help="Crops a step.")] = 16,
    crop: Annotated[int, typer.Option(min=256, help="Samples a crop.")] = 2_048,
    learning_rate: Annotated[float, typer.Option(help="Of AdamW, at its highest.")] = 3e-3,
    init: Annotated[str, typer.Option(help="looks-linear, or default for the report's recipe.")] = "looks-linear",
    schedule: Annotated[str, typer.Option(help="cosine or trapezoid.")] = "cosine",
    average: Annotated[float, typer.Option(help="Decay of the weights' moving average, 0: none.")] = 0.0,
    clip: Annotated[float, typer.Option(min=0, help="Largest norm of the gradient, 0: any.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of weights and batches.")] = 0,
    precision: Annotated[str, typer.Option(help="auto, bfloat16 or float32.")] = "float32",
    compiled: Annotated[bool, typer.Option("--compile/--no-compile", help="Needs a C++ compiler.")] = True,
    valid_every: Annotated[int, typer.Option(min=1, help="Steps between validations.")] = 500,
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 500,
    threads: Annotated[int, typer.Option(min=0, help="0: as torch chooses.")] = 0,
    strict: Annotated[bool, typer.Option(help="Stop at an unreadable file instead of skipping it.")] = False,
) -> None:
    """Train a model on music, or go on with a run after any interruption.

    Example: `celesta train -m cel-2 --data music/ -o runs/cel-2`

    Example: `celesta train --resume runs/cel-2`
    """
    from celesta.training import run as runs
    from celesta.training.config import TrainConfig
    from celesta.training.loop import Interrupted, Progress

    if (resume is None) == (model is None):
        raise UsageError("give either --model with --data and --output, or --resume RUN")
    run = resume or output
    if run is None or (model is not None and not data):
        raise UsageError("a new run needs --model, --data and --output")

    source = context.get_parameter_source("steps")
    changed = source is not None and source.name == "COMMANDLINE"
    columns = (TextColumn("{task.fields[facts]}", markup=False),)
    with bar(*columns) as progress:
        decoding = progress.add_task("decode", total=None, facts="", visible=False)
        task = progress.add_task("train", total=None, facts="")

        def watch(p: Progress) -> None:
            facts = f"loss {p.loss:.5f}  {p.audio_per_second:.1f} s of audio/s"
            progress.update(task, completed=p.step, total=p.steps, facts=facts)
            if p.valid is not None or (not err.is_terminal and p.step % 500 == 0):
                valid = "" if p.valid is None else f"  validation {p.valid:.5f}"
                err.print(f"step {p.step}/{p.steps}  {facts}{valid}", soft_wrap=True)

        def doing(text: str) -> None:
            progress.update(task, description=text)
            if not err.is_terminal:
                err.print(text)

        options: dict[str, Any] = {
            "doing": doing,
            "strict": strict,
            "watch": watch,
            "decoded": lambda done, total: progress.update(decoding, completed=done, total=total, visible=done < total),
            "skipped": lambda file, reason: err.print(f"skipped {file}: {reason}", style="yellow", markup=False),
        }
        try:
            if resume is not None:
                facts = runs.go_on(run, steps=steps if changed else None, **options)
            else:
                assert model is not None
                config = TrainConfig(
                    model=model,
                    data=tuple(str(path) for path in data or ()),
                    lists=str(lists or ""),
                    begin=begin,
                    seed=seed,
                    steps=steps,
                    batch=batch,
                    crop=crop,
                    init=init,
                    learning_rate=learning_rate,
                    schedule=schedule,
                    average=average,
                    clip=clip,
                    precision=precision,
                    compile=compiled,
                    valid_every=valid_every,
                    checkpoint_every=checkpoint_every,
                    threads=threads,
                )
                facts = runs.start(run, config, **options)
        except Interrupted as stop:
            err.print(f"stopped at step {stop.step}, saved; go on with: celesta train --resume {run}", markup=False)
            raise typer.Exit(EXIT_INTERRUPTED) from None
    out.print(f"{run}: {facts['step']} steps, best validation error {facts['best']:.5f}", markup=False)
    out.print(f"use it: celesta encode song.mp3 -m {run}", markup=False)
