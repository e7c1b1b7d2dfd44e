"""Options that several verbs share: one name, one help, one type."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Sources = Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER...", help="Files or folders.", show_default=False)]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing files.")]
Precision = Annotated[str, typer.Option(help="float32, or bfloat16: faster where the processor has it.")]
ModelName = Annotated[str, typer.Option("--model", "-m", help="A model's name or a run folder.")]
Data = Annotated[
    list[Path],
    typer.Option("--data", help="GTZAN, 4QAED, or a folder with one sub-folder a class; several.", show_default=False),
]
FEATURES = "Feature extractor: celesta-features, musicnn, handcrafted, latent:MODEL, layers:MODEL, ..."
Cache = Annotated[Path, typer.Option(help="Folder of features, kept from run to run.")]
Lists = Annotated[Path | None, typer.Option(help="Folder of GTZAN's filtered lists.", show_default=False)]
