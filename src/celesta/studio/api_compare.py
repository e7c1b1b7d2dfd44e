"""Reconstructions of a selection, to listen to against the original."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, Response

from celesta.audio import Audio
from celesta.dsp.loudness import loudness
from celesta.errors import CelestaError, UsageError
from celesta.evaluation.listening import abx_p_value
from celesta.studio import commands, comparing
from celesta.studio.answers import AbxAnswer, Accepted
from celesta.studio.comparing import Choice, Version
from celesta.studio.endpoints import BINARY, Endpoint
from celesta.studio.jobs import Report
from celesta.studio.renders import Render
from celesta.studio.schema import AbxRequest, CompareRequest, LadderRequest, RenderRequest, Stretch
from celesta.studio.studio import Studio


def stretch(studio: Studio, request: Stretch) -> tuple[Path, float, float]:
    """Return the file and the seconds of a selection.

    Raises:
        UsageError: the selection is empty or too long.
    """
    made = studio.song(request.song)
    start, stop = request.start, min(request.stop, made.seconds)
    longest = studio.settings.limits.selection
    if stop - start < 0.05:
        raise UsageError(f"the selection from {start:g} to {stop:g} s is empty; select at least 0.05 s of the song")
    if stop - start > longest:
        raise UsageError(f"the selection has {stop - start:.1f} s; select at most {longest:g} s")
    return made.facts.path, start, stop


def compare(studio: Studio, request: CompareRequest) -> Accepted:
    """Start coding a selection with several models; the result lists the original, then the others."""
    path, start, stop = stretch(studio, request)
    choices = [Choice(one.model, one.kbps, one.bits) for one in request.choices]

    def work(report: Report) -> dict[str, Any]:
        report(0, 1, f"reading {path.name}")
        original = studio.codecs.read(path, start, stop)
        about = {"original": _original(studio, path, original), "command": _command(path, choices)}
        versions: list[dict[str, Any]] = []
        failures: list[dict[str, str]] = []
        for number, choice in enumerate(choices):
            report.partial({**about, "versions": list(versions), "failures": list(failures)})
            report(number, len(choices), choice.name)
            try:
                versions.append(_row(studio, path, comparing.version(studio.codecs, original, choice, report.check)))
            except CelestaError as error:
                failures.append({"name": choice.name, "error": str(error)})
        if not versions:
            raise UsageError(failures[0]["error"])
        return {**about, "versions": versions, "failures": failures}

    return Accepted(studio.jobs.start("compare", f"Compare {len(choices)} versions of {path.name}", work).id)


def ladder(studio: Studio, request: LadderRequest) -> Accepted:
    """Start decoding the bitrates of a scalable file of a selection."""
    path, start, stop = stretch(studio, request)

    def work(report: Report) -> dict[str, Any]:
        report(0, 1, f"reading {path.name}")
        original = studio.codecs.read(path, start, stop)
        rungs: list[dict[str, Any]] = []
        whole = commands.encode(path, request.model, max(comparing.LADDER))
        smaller = commands.line("truncate", f"{path.stem}.cel", "--kbps", "12", "-o", f"{path.stem}-12.cel")
        about = {"original": _original(studio, path, original), "failures": [], "command": f"{whole} && {smaller}"}
        for number, made in enumerate(comparing.ladder(studio.codecs, original, request.model, report.check), start=1):
            if not rungs or made.kbps != rungs[0]["kbps"]:  # below the smallest file there is nothing more to listen to
                rungs.insert(0, _row(studio, path, made))
            report.partial({**about, "versions": list(rungs)})
            report(number, len(comparing.LADDER), made.choice.name)
        return {**about, "versions": rungs}

    return Accepted(studio.jobs.start("ladder", f"Bitrates of {path.name}", work).id)


def _command(path: Path, choices: list[Choice]) -> str:
    """Return the nearest command line: one that codes to the bitrate, or one that compares the models."""
    names = [choice.model for choice in choices if choice.model not in comparing.PEERS]
    if len(choices) == 1 and choices[0].kbps is not None and names:
        return commands.encode(path, names[0], choices[0].kbps)
    return commands.compare(path, list(dict.fromkeys(names))) if names else commands.line("compare", "--help")


def _original(studio: Studio, path: Path, x: Audio) -> dict[str, Any]:
    render = studio.renders.samples(x, f"{path.stem} original")
    return {"name": "original", "render": render.id, "sample_rate": x.sample_rate, "channels": len(x.samples),
            "loudness": loudness(x.samples, x.sample_rate), "gain": 0.0}  # fmt: skip


def _row(studio: Studio, path: Path, made: Version) -> dict[str, Any]:
    render = studio.renders.samples(made.x, f"{path.stem} {made.choice.name}".replace("/", " per "))
    return {
        "name": made.choice.name,
        "model": made.choice.model,
        "target": made.choice.kbps,
        "render": render.id,
        "sample_rate": made.x.sample_rate,
        "channels": len(made.x.samples),
        "kbps": made.kbps,
        "si_sdr": made.si_sdr,
        "snr": made.snr,
        "mel": made.mel,
        "bands": made.bands,
        "loudness": made.loudness,
        "gain": made.gain,
    }


def render(studio: Studio, request: RenderRequest) -> Response:
    """Return samples (float32, channel after channel), or a file to download."""
    found = studio.render(request.id)
    if request.format:
        found = studio.renders.converted(found, request.format)
    return download(found)


def download(found: Render) -> Response:
    """Return a render as a response."""
    if found.path.suffix == ".f32":
        headers = {"x-celesta-rate": str(found.sample_rate), "x-celesta-channels": str(found.channels)}
        return FileResponse(found.path, media_type=BINARY, headers=headers)
    return FileResponse(found.path, media_type=BINARY, filename=found.name)


def abx(studio: Studio, request: AbxRequest) -> AbxAnswer:
    """Return the p-value of an ABX test."""
    return AbxAnswer(abx_p_value(request.correct, request.trials))


ENDPOINTS = (
    Endpoint("POST", "/compare", CompareRequest, Accepted, compare),
    Endpoint("POST", "/ladder", LadderRequest, Accepted, ladder),
    Endpoint("GET", "/render", RenderRequest, None, render),
    Endpoint("POST", "/abx", AbxRequest, AbxAnswer, abx),
)
