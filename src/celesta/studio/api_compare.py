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
from celesta.studio.api_song import stretch
from celesta.studio.comparing import Choice, Version
from celesta.studio.endpoints import BINARY, Endpoint
from celesta.studio.jobs import Report
from celesta.studio.renders import Render
from celesta.studio.schema import AbxRequest, CompareRequest, LadderRequest, RenderRequest
from celesta.studio.studio import Studio


def compare(studio: Studio, request: CompareRequest) -> Accepted:
    """Start coding a selection with several models; the result lists the original, then the others."""
    path, start, stop = stretch(studio, request)
    choices = [Choice(one.model, one.kbps, one.bits) for one in request.choices]

    def work(report: Report) -> dict[str, Any]:
        report(0, 1, f"reading {path.name}")
        original = studio.codecs.read(path, start, stop)
        about = {"original": _original(studio, path, original), "command": _compared(path, choices)}
        versions: list[dict[str, Any]] = []
        failures: list[dict[str, str]] = []
        for number, choice in enumerate(choices):
            report.partial({**about, "versions": list(versions), "failures": list(failures)})
            report(number, len(choices), choice.name)
            try:
                made = comparing.version(studio.codecs, original, choice, report.check)
                versions.append(_row(studio, path, made, _command(path, choice)))
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
        top, model = max(comparing.LADDER), request.model
        about = {"original": _original(studio, path, original), "failures": []}
        for number, made in enumerate(comparing.ladder(studio.codecs, original, model, report.check), start=1):
            kbps = made.choice.kbps
            assert kbps is not None
            command = commands.truncate(path, model, top, kbps, made.choice.channels)
            rungs.insert(0, _row(studio, path, made, command) | {"name": f"{model} {_digits(made.kbps)} kbit/s"})
            report.partial({**about, "versions": list(rungs), "command": command})
            report(number, len(comparing.LADDER), made.choice.name)
        return {**about, "versions": rungs, "command": rungs[0]["command"]}

    return Accepted(studio.jobs.start("ladder", f"Bitrates of {path.name}", work).id)


def _digits(kbps: float | None) -> str:
    return "?" if kbps is None else f"{kbps:.2f}" if kbps < 10 else f"{kbps:.1f}"


def _compared(path: Path, choices: list[Choice]) -> str:
    """Return the command line that compares the models; with other codecs alone that of the first one."""
    names = [choice.model for choice in choices if choice.model not in comparing.PEERS]
    return commands.compare(path, list(dict.fromkeys(names))) if names else _command(path, choices[0])


def _command(path: Path, choice: Choice) -> str:
    """Return the command line that codes a song as a version of it was."""
    if choice.model in comparing.PEERS:
        suffix, options = comparing.PEERS[choice.model]
        return commands.ffmpeg(path, options, choice.kbps or 0, suffix)
    return commands.encode(path, choice.model, choice.kbps, choice.bits)


def _original(studio: Studio, path: Path, x: Audio) -> dict[str, Any]:
    render = studio.renders.samples(x, f"{path.stem} original")
    return {"name": "original", "render": render.id, "sample_rate": x.sample_rate, "channels": len(x.samples),
            "loudness": loudness(x.samples, x.sample_rate), "gain": 0.0}  # fmt: skip


def _row(studio: Studio, path: Path, made: Version, command: str) -> dict[str, Any]:
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
        "command": command,
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
