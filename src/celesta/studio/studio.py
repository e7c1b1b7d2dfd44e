"""The state of a studio: its folders, songs, models, jobs and library."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from celesta import audio
from celesta.codec import Codec
from celesta.features.cache import FeatureCache, cache_folder
from celesta.latents import Latent, is_cel
from celesta.studio import commands
from celesta.studio.codecs import Codecs
from celesta.studio.endpoints import NotFoundError
from celesta.studio.events import Hub
from celesta.studio.folders import Folders
from celesta.studio.jobs import Job, Jobs
from celesta.studio.library import LibraryDesk
from celesta.studio.playback import VirtualWav, file_blocks
from celesta.studio.renders import Render, Renders
from celesta.studio.settings import Settings
from celesta.studio.song import SongOverview, song_facts

if TYPE_CHECKING:
    from celesta.predict.song import SongPredictor

_SONGS = 16  # overviews in memory


class Studio:
    """Everything that the endpoints share; closed when the server ends.

    Args:
        settings: of the studio.

    Raises:
        UsageError: a source does not exist.
        LibraryError: the library cannot be opened.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folders = Folders(settings.sources)
        self.hub = Hub()
        self.jobs = Jobs(self.hub.job_changed)
        self.codecs = Codecs()
        self.renders = Renders()
        self.library = None if settings.library is None else LibraryDesk(settings.library)
        if self.library is not None:
            for folder in self.library.folders():
                if folder.exists():
                    self.folders.add(folder)
        cache = cache_folder() if settings.cache is None else settings.cache
        self._cache = cache / "studio"
        self.features = FeatureCache(cache)
        self._songs: OrderedDict[tuple[str, int], SongOverview] = OrderedDict()
        self._wavs: OrderedDict[tuple[str, int], VirtualWav] = OrderedDict()
        self._reading = ThreadPoolExecutor(2, "celesta-read")
        self._lock = threading.Lock()
        self._predictor: SongPredictor | None = None
        self._predictor_lock = threading.Lock()

    def song(self, ref: str) -> SongOverview:
        """Return the overview of a song; reading it begins with the first call.

        Raises:
            CelestaError: the file is not served, or cannot be read.
        """
        path = self.folders.path(ref)
        key = (str(path), path.stat().st_mtime_ns)
        with self._lock:
            if key in self._songs:
                self._songs.move_to_end(key)
                return self._songs[key]
        facts = song_facts(path)
        made = SongOverview(facts, self._blocks(path), self._cache)
        with self._lock:
            if key in self._songs:
                return self._songs[key]
            self._songs[key] = made
            gone = [self._songs.popitem(last=False)[1] for _ in range(len(self._songs) - _SONGS)]
        for one in gone:
            one.stop()
        self._reading.submit(made.run)
        return made

    def _blocks(self, path: Path) -> Iterator[np.ndarray]:
        if is_cel(path):
            return self._decoded(path, 0)
        return file_blocks(path)(0)

    def _decoded(self, path: Path, first: int) -> Iterator[np.ndarray]:
        """Decode a .cel file from a sample on, about a window at a time."""
        facts = song_facts(path)
        codec = self.codecs.get(facts.subtype)
        z = Latent.load(path)
        step = max(1, round((codec.model.window - codec.model.overlap) / codec.model.sample_rate))
        start = first / facts.sample_rate
        while start < facts.seconds:
            with self.codecs.computing:
                block = codec.decode(z, start=start, stop=min(start + step, facts.seconds)).samples
            start = (round(start * facts.sample_rate) + block.shape[1]) / facts.sample_rate
            yield block

    def wav(self, ref: str) -> VirtualWav:
        """Return a song as a WAV file that is made as it is read.

        Raises:
            CelestaError: the file is not served, or cannot be read.
        """
        song = self.song(ref)
        path = song.facts.path
        key = (str(path), song.samples)
        with self._lock:
            if key in self._wavs:
                self._wavs.move_to_end(key)
                return self._wavs[key]
        blocks = (lambda first: self._decoded(path, first)) if is_cel(path) else file_blocks(path)
        made = VirtualWav(blocks, song.samples, song.facts.channels, song.sample_rate)
        with self._lock:
            self._wavs[key] = made
            gone = [self._wavs.popitem(last=False)[1] for _ in range(len(self._wavs) - _SONGS)]
        for one in gone:
            one.close()
        return made

    def predictor(self) -> SongPredictor:
        """Return the predictors that ship, loaded once."""
        from celesta.predict.song import SongPredictor

        with self._predictor_lock:
            if self._predictor is None:
                self._predictor = SongPredictor()
            return self._predictor

    def default_model(self) -> str:
        """Return the name of the codec that is used where none is named."""
        from celesta.models import registry

        return registry.shipped(registry.Role.CODEC)[0].name

    def codec(self, name: str) -> Codec:
        """Load a model."""
        return self.codecs.get(name)

    def job(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            NotFoundError: there is none of this name.
        """
        found = self.jobs.get(job_id)
        if found is None:
            raise NotFoundError("there is no such job any more; start it again")
        return found

    def render(self, render_id: str) -> Render:
        """Return a render.

        Raises:
            NotFoundError: there is none of this name.
        """
        found = self.renders.get(render_id)
        if found is None or not found.path.exists():
            raise NotFoundError("this audio was deleted to save space; make it again")
        return found

    def need_library(self) -> LibraryDesk:
        """Return the library.

        Raises:
            NotFoundError: the studio has none.
        """
        if self.library is None:
            command = commands.line("library", "add", "FOLDER")
            raise NotFoundError(f"there is no library; make one: {command}, then open the studio again")
        return self.library

    def take_upload(self, path: Path) -> str:
        """Serve an uploaded file that lies in the folder of renders.

        Raises:
            AudioError: it is no audio.
        """
        if is_cel(path):
            song_facts(path)
        else:
            audio.info(path)
        self.folders.add(path)
        ref = self.folders.ref(path)
        assert ref is not None
        return ref

    def close(self) -> None:
        """Stop all work and delete what was made."""
        self.hub.close()
        for one in list(self._songs.values()):
            one.stop()
        self.jobs.close()
        self._reading.shutdown(wait=True, cancel_futures=True)
        for wav in self._wavs.values():
            wav.close()
        if self.library is not None:
            with contextlib.suppress(Exception):
                self.library.close()
        self.renders.close()
