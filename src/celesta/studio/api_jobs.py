"""What the studio can do, jobs and their events, uploads, and predictions of a song."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from celesta._files import printable
from celesta._version import __version__
from celesta.errors import CelestaError, UsageError
from celesta.latents import is_cel
from celesta.predict.moods import are_moods
from celesta.studio import commands, comparing
from celesta.studio.answers import Accepted, JobInfo, JobList, ModelInfo, State
from celesta.studio.api_vary import variations
from celesta.studio.endpoints import Endpoint
from celesta.studio.events import job_info
from celesta.studio.folders import SUFFIXES
from celesta.studio.jobs import Report
from celesta.studio.renders import FORMATS
from celesta.studio.schema import JobRequest, Nothing, SongRequest
from celesta.studio.structure import structure_of
from celesta.studio.studio import Studio


def state(studio: Studio, request: Nothing) -> State:
    """Return what this studio can do."""
    settings = studio.settings
    sources = [*settings.sources, *([settings.library] if settings.library else [])]
    return State(
        version=__version__,
        platform=platform.system(),
        models=models(),
        default_model=studio.default_model(),
        peers=comparing.peers(),
        variations=variations(),
        formats=list(FORMATS),
        ladder=list(comparing.LADDER),
        library=None if settings.library is None else printable(settings.library),
        longest_selection=settings.limits.selection,
        largest_upload=settings.limits.upload,
        command=commands.line("studio", *sources),
    )


def models() -> list[ModelInfo]:
    """Describe the models of the registry."""
    from celesta.models import registry

    return [
        ModelInfo(
            one.name,
            str(one.role),
            one.description,
            one.capabilities.codes_to_bitrate,
            not one.needs_weights or (one.weights_file is not None and one.weights_file.is_file()),
        )
        for one in registry.shipped()
    ]


def jobs(studio: Studio, request: Nothing) -> JobList:
    """List the jobs that are known."""
    return JobList([job_info(job) for job in studio.jobs.all()])


def job(studio: Studio, request: JobRequest) -> JobInfo:
    """Return a job with its result."""
    return job_info(studio.job(request.id), result=True)


def cancel(studio: Studio, request: JobRequest) -> JobInfo:
    """Cancel a job; what it has made so far is deleted."""
    found = studio.job(request.id)
    studio.jobs.cancel(found)
    return job_info(found)


def predict(studio: Studio, request: SongRequest) -> Accepted:
    """Start predicting genre, mood and tags of a song, as a whole and over time."""
    path = studio.song(request.song).facts.path
    if is_cel(path):
        raise UsageError(f"{path.name}: predictions need audio; decode it first: {commands.line('decode', path)}")

    def work(report: Report) -> dict[str, Any]:
        report(0, None, "loading the predictors")
        predictor = studio.predictor()
        report(0, None, f"analysing {path.name}")
        found = predictor.predict(path)
        report(1, 1)
        data = found.to_dict()
        names = {name: list(classes) for name, classes in found.classes.items()}
        return {**data, "path": printable(path), "classes": names, "plane": _plane(predictor, found),
                "command": commands.line("classify", "predict", path)}  # fmt: skip

    return Accepted(studio.jobs.start("predict", f"Genre, mood and tags of {path.name}", work).id)


def _plane(predictor: Any, found: Any) -> list[list[float] | None]:
    """Return valence and arousal of each stretch; None where it is silent."""
    from celesta.predict.predictor import mood_plane

    for name, classes in found.classes.items():
        if are_moods(classes) and name in found.over_time:
            places = mood_plane(classes, found.over_time[name])
            return [None if row[0] != row[0] else [round(float(x), 4) for x in row] for row in places]
    return []


def structure(studio: Studio, request: SongRequest) -> Accepted:
    """Start finding the sections of a song."""
    path = studio.song(request.song).facts.path

    def work(report: Report) -> dict[str, Any]:
        return structure_of(path, studio.features, report.part(0, 1, f"analysing {path.name}"))

    return Accepted(studio.jobs.start("structure", f"Sections of {path.name}", work).id)


def check_upload(studio: Studio, path: Path, name: str) -> str:
    """Check an uploaded file and serve it; returns its reference. What is no audio is deleted.

    Raises:
        CelestaError: it is no audio.
    """
    try:
        return studio.take_upload(path)
    except CelestaError as error:
        path.unlink(missing_ok=True)
        raise UsageError(f"{printable(name)}: {str(error).partition(': ')[2] or error}") from None


def upload_path(studio: Studio, name: str) -> Path:
    """Return where an uploaded file is stored: its own name, in a folder of its own.

    Raises:
        UsageError: the name is not that of audio.
    """
    stem, suffix = os.path.splitext(os.path.basename(name.replace("\\", "/")))
    if suffix.lower() not in SUFFIXES:
        raise UsageError(f"{printable(name)}: is neither audio nor a .cel file")
    folder = studio.renders.new("")
    folder.mkdir()
    clean = "".join(c for c in stem if c.isalnum() or c in " -_.,()&'")[:100].strip(". ") or "upload"
    return folder / f"{clean}{suffix.lower()}"


ENDPOINTS = (
    Endpoint("GET", "/state", Nothing, State, state),
    Endpoint("GET", "/jobs", Nothing, JobList, jobs),
    Endpoint("GET", "/job", JobRequest, JobInfo, job),
    Endpoint("POST", "/cancel", JobRequest, JobInfo, cancel),
    Endpoint("POST", "/predict", SongRequest, Accepted, predict),
    Endpoint("POST", "/structure", SongRequest, Accepted, structure),
)
