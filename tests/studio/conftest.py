"""A studio that runs in a thread, on made-up songs in a folder."""

import os
import threading

import numpy as np
import pytest
from studio_client import Client

from celesta.audio import Audio, write
from celesta.library import Library
from celesta.studio import Limits, Settings, StudioServer

RATE = 44_100


@pytest.fixture(scope="session")
def songs(tmp_path_factory, music):
    """A folder of songs, with a link out of it."""
    folder = tmp_path_factory.mktemp("songs")
    long = np.concatenate([music(8 * RATE, 2, seed=1), 0.3 * music(8 * RATE, 2, seed=5)], axis=1)
    write(folder / "long.wav", Audio(long, RATE), subtype="PCM_16")
    write(folder / "short.flac", Audio(music(3 * RATE, 1, seed=2), RATE))
    write(folder / "other.mp3", Audio(music(4 * RATE, 2, seed=3), RATE))
    os.rename(folder / "other.mp3", folder / "übung 1 & 2.mp3")
    (folder / "sub").mkdir()
    write(folder / "sub" / "deep.ogg", Audio(music(2 * RATE, 1, seed=4), RATE))
    (folder / "notes.txt").write_text("no audio")
    copy = np.pad(0.6 * long, ((0, 0), (3 * RATE, 5 * RATE)))
    write(folder / "sub" / "copy.flac", Audio(copy.astype(np.float32), RATE))
    (folder / "broken.wav").write_bytes(b"RIFF____WAVE")
    outside = tmp_path_factory.mktemp("outside")
    write(outside / "secret.wav", Audio(music(RATE), RATE))
    (folder / "link.wav").symlink_to(outside / "secret.wav")
    (folder / "linked").symlink_to(outside)
    return folder


@pytest.fixture(scope="session")
def run_studio(tmp_path_factory):
    """The function `run_studio(*sources, **settings)`: starts a studio in a thread; gives its server and client."""
    running = []

    def run(*sources, limits=None, **settings):
        cache = tmp_path_factory.mktemp("cache")
        limits = limits or Limits(header_seconds=1.0, idle_seconds=1.0, body_seconds=2.0, upload=4 << 20, body=100_000)
        made = Settings(tuple(sources), token="a-token-of-the-tests", limits=limits, cache=cache, **settings)
        server = StudioServer(made)
        opened = threading.Event()
        thread = threading.Thread(target=server.run, args=(lambda url: opened.set(),), daemon=True)
        thread.start()
        assert opened.wait(30)
        running.append((server, thread))
        return server, Client(server, made.token)

    yield run
    for server, thread in running:
        server.stop()
        thread.join(15)
        assert not thread.is_alive(), "the studio did not stop"


@pytest.fixture(scope="session")
def library_file(tmp_path_factory, songs):
    """A library of the songs in the folder, analysed."""
    file = tmp_path_factory.mktemp("library") / "library.db"
    with Library(file) as library:
        library.add(songs / "long.wav", songs / "short.flac", songs / "übung 1 & 2.mp3", songs / "sub", workers=1)
    return file


@pytest.fixture(scope="session")
def studio(run_studio, songs):
    """The client of a studio of the songs."""
    return run_studio(songs)[1]


@pytest.fixture(scope="session")
def library_studio(run_studio, songs, library_file):
    """The server and the client of a studio with a library."""
    return run_studio(songs, library=library_file)
