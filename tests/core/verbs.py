"""What `pip install celesta` can do, without torch: every shipped model, the verbs, the features, the studio.

What the extras [science] and [studio] add is tried where they are installed; without them, verbs must say so.

Run: python tests/core/verbs.py FOLDER
"""

import http.client
import json
import os
import shutil
import sys
import threading
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

import celesta
from celesta import _device, _extras
from celesta.cli.main import app
from celesta.features.registry import extractor
from celesta.models import registry
from celesta.models.weights import FOLDER as WEIGHTS


def run(*words: object) -> tuple[int, str]:
    made = CliRunner().invoke(app, [str(word) for word in words])
    return made.exit_code, " ".join(made.output.split())


def done(*words: object) -> str:
    code, text = run(*words)
    assert code == 0, (words, text)
    return text


def models(x: celesta.Audio) -> None:
    mono = celesta.Audio(x.samples[:1, :70_000], x.sample_rate)
    for entry in registry.shipped():
        codec = celesta.load(entry.name)
        back = codec.decode(codec.encode(mono))
        assert back.samples.shape == (1, 70_000), entry.name
        assert np.isfinite(back.samples).all(), entry.name


def verbs(song: Path, folder: Path) -> None:
    done("encode", song, "--kbps", 12, "-o", folder / "a.cel")
    done("decode", folder / "a.cel", "-o", folder / "a.wav")
    done("truncate", folder / "a.cel", "--kbps", 4, "-o", folder / "b.cel")
    done("transform", folder / "a.cel", "--gain", 0.5, "-o", folder / "t")
    done("verify", folder / "b.cel")
    done("library", "add", folder, "--library", folder / "l.db")
    assert "a.wav" in done("similar", song, "--library", folder / "l.db")
    assert "reggae" in done("classify", "predict", song, "-o", folder / "predictions")
    assert "nested2" in done("models")
    done("models", "--licence", "commercial")
    assert "onnx" in done("doctor").lower()
    refused("PyTorch, the extra [train]", "train", "-m", "cel-3", "--data", folder, "-o", folder / "run")
    refused("PyTorch, the extra [train]", "export", "cel-3", "-o", folder / "exported")
    refused("PyTorch, the extra [train]", "encode", song, "--backend", "torch", "-o", folder / "n.cel")


def refused(what: str, *verb: object) -> None:
    code, text = run(*verb)
    assert code, verb
    assert f"needs {what}; pip install 'celesta[" in text, text
    assert "Traceback" not in text


def versions(song: Path, folder: Path) -> None:
    """The verbs that make new versions of songs; each writes audio of the length that it promises."""
    short = folder / "short.wav"
    x = celesta.read(song, duration=8)
    celesta.write(short, x)
    other = folder / "other.wav"
    celesta.write(other, celesta.read(WEIGHTS.parent / "clips" / "house.ogg", duration=8))
    done("extend", short, "--to", "0:12", "--page", "-o", folder / "extended.wav")
    assert celesta.info(folder / "extended.wav").n_samples == 12 * x.sample_rate
    done("repair", short, "--from", "4", "--to", "4.25", "-o", folder / "repaired.wav")
    done("bridge", short, other, "--length", 2, "-o", folder / "bridged.wav")
    done("mosaic", short, other, "-o", folder / "mosaic.wav")
    done("morph", short, other, "-m", "cel-3", "-o", folder / "morphed.wav")
    for name in ("repaired", "mosaic"):
        assert celesta.info(folder / f"{name}.wav").n_samples == x.samples.shape[1], name


def science(folder: Path) -> None:
    """Maps, clusters and the study; without the extra [science] they say which one they need."""
    music = folder / "music"
    for name in ("low", "high"):
        (music / name).mkdir(parents=True)
        t = np.arange(3 * 22_050) / 22_050
        for i in range(6):
            tone = 0.3 * np.sin(2 * np.pi * (200 + 40 * i) * (6 if name == "high" else 1) * t)
            celesta.write(music / name / f"{i}.wav", tone.astype(np.float32)[None], 22_050)
    cluster = ("cluster", "--data", music, "-f", "rhythm", "--groups", 2, "-o", folder / "clusters")
    study = ("study", "--data", music, "-f", "handcrafted", "-f", "layers:nested", "-o", folder / "study", "--seeds", 1)
    options = ("--folds", 2, "--workers", 1, "--cache", folder / "cache")
    if not _extras.installed("sklearn"):
        for verb in (cluster, study, ("map", "--library", folder / "l.db", "-o", folder / "map.html")):
            refused("scikit-learn, the extra [science]", *verb)
        return
    done("map", "--library", folder / "l.db", "-o", folder / "map.html")
    if _extras.installed("matplotlib"):
        text = done(*study, *options)
        assert "left out: layers:nested: layers:nested needs PyTorch" in text, text
        assert "left out: the classifier of the 2024 report" in text, text


def studio(folder: Path) -> None:
    """The studio serves its page, songs and a change of a song; without its extra the verb names it."""
    if not _extras.installed("starlette"):
        code, text = run("studio", folder)
        assert code
        assert "pip install 'celesta[studio]'" in text, text
        return
    from celesta.studio import Settings, StudioServer

    settings = Settings((folder,), cache=folder / "studio")
    server, opened = StudioServer(settings), threading.Event()
    threading.Thread(target=server.run, args=(lambda url: opened.set(),), daemon=True).start()
    assert opened.wait(60)
    host, _, port = server.address.rpartition(":")
    cookie = {"cookie": f"celesta_studio_{port}={settings.token}", "origin": f"http://{server.address}"}

    def ask(method: str, path: str, **body: object) -> bytes:
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        text = json.dumps(body) if body else None
        connection.request(method, path, text, cookie | {"content-type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
        assert response.status == 200, (path, answer[:300])
        return answer

    assert b"<html" in ask("GET", "/")
    assert json.loads(ask("GET", "/api/song?song=0/short.wav"))["name"] == "short.wav"
    steps = [{"name": "gain", "settings": {"factor": 0.5}}]
    assert ask("POST", "/api/vary/preview", song="0/short.wav", start=0, stop=1, model="cel-3", steps=steps)
    server.stop()


def features(x: celesta.Audio) -> None:
    for name in ("celesta-ssl", "musicnn-msd", "handcrafted", "rhythm", "latent:cel-3"):
        one = extractor(name)
        samples = celesta.audio.resample(x.samples[:1, :200_000], x.sample_rate, one.sample_rate)[0]
        assert all(np.isfinite(array).all() for array in one.measure(samples).values()), name


def main(folder: Path) -> None:
    assert not _device.has_torch(), "this is for an environment without torch"
    song = folder / "song.ogg"
    shutil.copy(WEIGHTS.parent / "clips" / "reggae.ogg", song)
    x = celesta.read(song)
    os.environ["CELESTA_CACHE"] = str(folder / "cache")
    for step in (lambda: models(x), lambda: verbs(song, folder), lambda: versions(song, folder),
                 lambda: science(folder), lambda: studio(folder), lambda: features(x)):  # fmt: skip
        step()
    assert "torch" not in sys.modules
    print(f"without torch: {len(registry.shipped())} models, the verbs, the features and the studio work")


main(Path(sys.argv[1]))
