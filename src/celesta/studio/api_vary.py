"""Variations of a selection with a preview that begins at once, and export of the whole song."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from starlette.responses import Response, StreamingResponse

from celesta import audio
from celesta._files import printable
from celesta.errors import UsageError
from celesta.studio import commands, warned
from celesta.studio.answers import Accepted, ParameterInfo, Prepared, TextAnswer, VariationInfo
from celesta.studio.api_song import pcm_headers, stretch
from celesta.studio.endpoints import BINARY, Endpoint
from celesta.studio.jobs import Report
from celesta.studio.pieces import decode_in_pieces
from celesta.studio.renders import FORMATS
from celesta.studio.schema import ExportRequest, PreviewRequest, StepModel
from celesta.studio.studio import Studio
from celesta.variations import VARIATIONS, Step, apply, transform_file


def variations() -> list[VariationInfo]:
    """Describe the variations of the table whose parameters are all numbers, which sliders can set."""
    return [
        VariationInfo(one.name, one.summary, [_parameter(flag, p) for flag, p in one.options()])
        for one in VARIATIONS.values()
        if all(p.kind in (int, float) for p in one.parameters)
    ]


def _parameter(flag: str, p: Any) -> ParameterInfo:
    def limit(value: float) -> float | None:
        return float(value) if math.isfinite(value) else None

    default = None if p.default is None else float(p.default)
    return ParameterInfo(p.name, p.kind.__name__, p.help, default, limit(p.minimum), limit(p.maximum), flag)


def steps_of(given: list[StepModel]) -> list[Step]:
    """Check steps against the table; integers may come as 3.0.

    Raises:
        UsageError: a variation or a value is unknown or out of range.
    """
    return [Step(one.name, **one.settings) for one in given]


def command(studio: Studio, request: PreviewRequest) -> TextAnswer:
    """Return the command line of the steps."""
    path, start, stop = stretch(studio, request)
    steps = steps_of(request.steps)
    return TextAnswer(commands.transform(path, request.model, [(s.name, s.settings) for s in steps], start, stop))


def prepare(studio: Studio, request: PreviewRequest) -> Prepared:
    """Encode a selection and decode a little of it, so that the first preview begins at once."""
    path, start, stop = stretch(studio, request)
    selection = studio.codecs.selection(path, start, stop, request.model)
    with studio.codecs.previewing:
        next(decode_in_pieces(selection.codec, selection.z))
    return Prepared(selection.z.n_samples)


def preview(studio: Studio, request: PreviewRequest) -> Response:
    """Return the selection, changed: float32, the channels of each sample together, as it is decoded.

    The first samples are those at ``first``; those before it come at the end.
    """
    path, start, stop = stretch(studio, request)
    steps = steps_of(request.steps)
    selection = studio.codecs.selection(path, start, stop, request.model)
    with warned.collected():
        changed = apply(selection.z, steps)
    first = request.first if request.first < changed.n_samples else 0
    made = decode_in_pieces(selection.codec, changed, first)

    def blocks() -> Iterator[bytes]:
        while True:
            with studio.codecs.previewing:  # for a piece at a time: a newer preview need not wait for the end of this
                block = next(made, None)
            if block is None:
                return
            yield np.ascontiguousarray(block.T, "<f4").tobytes()

    headers = pcm_headers(selection.x, changed.n_samples) | {"x-celesta-first": str(first)}
    return StreamingResponse(_first_at_once(blocks()), media_type=BINARY, headers=headers)


def _first_at_once(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Compute the first block before the response begins, so that an error can still be reported."""
    first = next(blocks, b"")

    def rest() -> Iterator[bytes]:
        yield first
        yield from blocks

    return rest()


def export(studio: Studio, request: ExportRequest) -> Accepted:
    """Start writing a changed song; the result has the audio, the recipe and the command line."""
    path = studio.song(request.song).facts.path
    steps = steps_of(request.steps)
    if request.format not in FORMATS:
        raise UsageError(f"cannot export to {request.format!r}; choose one of {', '.join(FORMATS)}")
    name = f"{path.stem} ({', '.join(map(str, steps))})"

    def work(report: Report) -> dict[str, Any]:
        report(0, 1, f"loading {request.model}")
        codec = studio.codec(request.model)
        target = studio.renders.new(f".{request.format}")
        progress = report.part(0.02, 1.0, "coding and decoding")
        transform_file(codec, path, target, steps, start=request.start, stop=request.stop, progress=progress)
        about = audio.info(target)
        made = studio.renders.file(target, f"{name}.{request.format}", about.sample_rate, about.channels)
        command = commands.transform(
            path, request.model, [(step.name, step.settings) for step in steps], request.start, request.stop
        )
        recipe = recipe_text(request.model, steps, f"Of {path.name}. {command}")
        return {
            "render": made.id,
            "name": made.name,
            "bytes": made.size,
            "recipe": recipe,
            "recipe_render": studio.renders.text(recipe, f"{name}.toml").id,
            "command": command,
        }

    return Accepted(studio.jobs.start("export", f"Export {name}", work).id)


def recipe_text(model: str, steps: Sequence[Step], comment: str) -> str:
    """Return a recipe as TOML, which `celesta transform --recipe` reads.

    Args:
        model: its name.
        steps: the chain.
        comment: first line.
    """
    lines = [f"# {printable(comment)}", f"model = {json.dumps(model)}"]
    for step in steps:
        lines += ["", "[[step]]", f"name = {json.dumps(step.name)}"]
        lines += [f"{name} = {value:.10g}" for name, value in step.settings.items()]
    return "\n".join(lines) + "\n"


ENDPOINTS = (
    Endpoint("POST", "/vary/command", PreviewRequest, TextAnswer, command),
    Endpoint("POST", "/vary/prepare", PreviewRequest, Prepared, prepare),
    Endpoint("POST", "/vary/preview", PreviewRequest, None, preview),
    Endpoint("POST", "/vary/export", ExportRequest, Accepted, export),
)
