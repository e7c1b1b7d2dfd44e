#!/usr/bin/env python3
"""Measure the studio: python benchmarks/studio.py {long,clients,random,preview,pieces,all} [--json FILE].

long: a 3 h file, seconds until the first waveform is drawn, and the memory of the page (Chromium).
clients: 20 clients for a minute: errors, times, memory of the server.
random: 10 000 random requests from the interface's own description, of which none may end in a 5xx.
preview: milliseconds from a moved slider to the first audio, for a selection of 5 s.
pieces: CPU time of what a preview of such a selection computes, without server and browser.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from _studio_process import resident, studio

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests" / "studio"))
CLIPS = REPOSITORY / "src" / "celesta" / "clips"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def long_file(folder: Path, hours: float, suffix: str) -> Path:
    """Write a file of some hours: clips that ship, one after the other."""
    target = folder / f"long{suffix}"
    kind = {".wav": ("WAV", "PCM_16"), ".flac": ("FLAC", "PCM_16"), ".mp3": ("MP3", "MPEG_LAYER_III")}[suffix]
    with soundfile.SoundFile(target, "w", 44_100, 2, format=kind[0], subtype=kind[1]) as file:
        left, number = round(hours * 3_600 * 44_100), 0
        clips = [soundfile.read(path, always_2d=True, dtype="float32") for path in sorted(CLIPS.glob("*.ogg"))]
        parts = [np.repeat(x, 2, axis=1)[:, :2] if x.shape[1] == 1 else x for x, rate in clips if rate == 44_100]
        while left > 0:
            part = parts[number % len(parts)][:left]
            file.write(part * np.float32(0.4 + 0.6 * (number % 7) / 6))
            left, number = left - len(part), number + 1
    return target


def measure_long(hours: float, suffix: str) -> dict[str, Any]:
    """Seconds until the first waveform of a long file is drawn, and the page's memory."""
    from playwright.sync_api import sync_playwright

    drawn = """() => { const c = document.querySelector('.wave-picture'); if (!c) return false;
      const d = c.getContext('2d').getImageData(0, 0, c.width, Math.round(c.height * 0.4)).data;
      let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n > c.width; }"""
    with tempfile.TemporaryDirectory() as folder:
        file = long_file(Path(folder), hours, suffix)
        with studio(file) as (client, pid), sync_playwright() as started:
            browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.goto(client.url)
            page.wait_for_selector(".wave")
            page.evaluate("location.hash = '#/library'")
            page.wait_for_selector(".view.library, .empty")
            began = time.perf_counter()
            page.evaluate("location.hash = '#/song?song=0'")
            while not page.evaluate(drawn):
                assert time.perf_counter() - began < 120, "no waveform within two minutes"
                page.wait_for_timeout(10)
            first = time.perf_counter() - began
            page.evaluate("celesta.player.element.play()")
            page.evaluate("celesta.player.seek(5000)")
            for _ in range(30):
                page.mouse.move(900, 300)
                page.mouse.wheel(0, -150)
                page.wait_for_timeout(100)
            while json.loads(client.raw("GET", "/api/song?song=0")[1])["complete"] is False:
                time.sleep(0.5)
            whole = time.perf_counter() - began
            session = page.context.new_cdp_session(page)
            heap = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]} if session.send(
                "Performance.enable") is not None else {}  # fmt: skip
            processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
            renderers = [resident(one["id"]) for one in processes if one["type"] == "renderer"]
            made = {"file": f"{hours:g} h {suffix}", "first waveform, s": first, "whole song read, s": whole,
                    "page, MB": max(renderers), "script heap, MB": heap.get("JSHeapUsedSize", 0) / 1e6,
                    "server, MB": resident(pid)}  # fmt: skip
            browser.close()
            return made


def measure_clients(seconds: float, count: int = 20) -> dict[str, Any]:
    """Errors and times of many clients at once, and the server's memory."""
    times: list[float] = []
    errors: list[str] = []
    with studio(CLIPS) as (client, pid):
        names = [one["ref"] for one in json.loads(client.raw("GET", "/api/files?folder=0")[1])["entries"]]
        client.raw("POST", "/api/vary/prepare", _preview(names[0], 0))
        before = resident(pid)
        end = time.monotonic() + seconds
        peak = [before]

        def work(seed: int) -> None:
            rng = np.random.default_rng(seed)
            while time.monotonic() < end:
                name = names[int(rng.integers(len(names)))]
                start = float(rng.uniform(0, 8))
                requests = [
                    ("GET", f"/api/waveform?song={name}&start={start}&stop={start + 5}&bins=1200", None),
                    ("GET", f"/api/spectrogram?song={name}&start={start}&stop={start + 4}", None),
                    ("GET", f"/api/wav?song={name}", None),
                    ("GET", f"/api/song?song={name}", None),
                    ("POST", "/api/vary/preview", _preview(names[0], float(rng.uniform(0, 0.2)))),
                ]
                method, target, body = requests[int(rng.choice(5, p=[0.4, 0.25, 0.1, 0.2, 0.05]))]
                began = time.perf_counter()
                try:
                    status, _ = client.raw(method, target, body, {"content-type": "application/json"})
                except OSError as error:
                    errors.append(repr(error))
                    continue
                times.append(time.perf_counter() - began)
                if status != 200:
                    errors.append(f"{status} {target}")

        threads = [threading.Thread(target=work, args=(i,)) for i in range(count)]
        for one in threads:
            one.start()
        while any(one.is_alive() for one in threads):
            peak.append(resident(pid))
            time.sleep(1)
    median, slow = np.percentile(times, [50, 99])
    return {"clients": count, "seconds": seconds, "requests": len(times), "errors": len(errors), "first": errors[:5],
            "median, ms": 1000 * median, "99 %, ms": 1000 * slow, "server before, MB": before,
            "server most, MB": max(peak)}  # fmt: skip


def _preview(song: str, sigma: float) -> str:
    steps = [{"name": "noise", "settings": {"sigma": sigma, "seed": 1}}]
    return json.dumps({"song": song, "start": 2, "stop": 7, "model": "linear-64", "steps": steps})


def measure_random(count: int, seed: int) -> dict[str, Any]:
    """How many of the random requests end in a 5xx."""
    from random_requests import Requests

    statuses: dict[int, int] = {}
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, path in (("long.wav", "rock.ogg"), ("short.flac", "ambient.ogg")):
            soundfile.write(Path(folder) / name, *soundfile.read(CLIPS / path, frames=6 * 44_100))
        library = Path(folder) / "library.db"
        subprocess.run(
            [sys.executable, "-m", "celesta.cli.main", "library", "add", folder, "--library", library],
            check=True, capture_output=True,
        )  # fmt: skip
        with studio(Path(folder), options=("--library", str(library))) as (client, _):
            made = Requests(json.loads(client.raw("GET", "/api/openapi.json")[1]), seed)
            for number, (method, target, body, headers) in enumerate(made):
                if number == count:
                    break
                status, answer = client.raw(method, target, body, headers)
                statuses[status] = statuses.get(status, 0) + 1
                if status >= 500 and status != 501:
                    failed.append(f"{method} {target} {body!r}: {status} {answer[:200]!r}")
    return {"requests": count, "seed": seed, "5xx": len(failed), "first": failed[:5], "statuses": statuses}


def measure_preview(times: int, model: str) -> dict[str, Any]:
    """Milliseconds from a moved slider to the first block of its audio, for selections of 5 s of stereo.

    The page is left alone after each; `new selection` is that of the first slider after a selection, which was encoded
    meanwhile; `selected` is how long its encoding took.
    """
    from playwright.sync_api import sync_playwright

    moved = 0
    found: dict[str, list[float]] = {"paused, ms": [], "playing, ms": [], "new selection, ms": [], "selected, ms": []}
    with studio(CLIPS) as (client, _), sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.add_init_script(f"localStorage.setItem('celesta.vary.model', {json.dumps(json.dumps(model))})")
        page.goto(client.url)
        page.wait_for_selector(".wave")
        for number in range(times):
            began = time.perf_counter()
            page.evaluate(f"location.hash = '#/vary?song=0/rock.ogg&from={2 + number / 4}&to={7 + number / 4}'")
            while f"{2 + number / 4:g} {7 + number / 4:g}" not in page.evaluate("celesta.ready.value"):
                page.wait_for_timeout(5)
            if number:  # the first one loads the model
                found["selected, ms"].append(1000 * (time.perf_counter() - began))
            for name, play in (("new selection, ms", False), ("paused, ms", False), ("playing, ms", True)):
                page.evaluate("celesta.varyDeck.play()" if play else "celesta.varyDeck.stop()")
                page.wait_for_timeout(500)
                page.evaluate("celesta.latency.value = 0")
                moved += 1
                sigma = 0.05 + 0.01 * (moved % 100)
                page.locator("fieldset", has_text="noise").get_by_role("slider").first.fill(f"{sigma:.3f}")
                while not page.evaluate("celesta.latency.value"):
                    page.wait_for_timeout(5)
                page.wait_for_timeout(700)
                if number:
                    found[name].append(page.evaluate("celesta.latency.value"))
        browser.close()
    made = {name: f"median {np.median(values):.0f}, most {max(values):.0f}" for name, values in found.items()}
    return {"selection, s": 5, "times": times - 1, "model": model or "the default", **made}


def measure_pieces(model: str) -> dict[str, Any]:
    """CPU milliseconds, the least of five, of the steps of a preview of 5 s of stereo."""
    from celesta import audio, codec
    from celesta.models import registry
    from celesta.studio.pieces import decode_in_pieces
    from celesta.variations import Step, apply

    loaded = codec.load(model or registry.shipped(registry.Role.CODEC)[0].name)
    x = audio.read(CLIPS / "rock.ogg", start=2, duration=5)
    z = loaded.encode(x)
    changed = apply(z, [Step("noise", 0.1, 3)])
    steps = {
        "encode": lambda: loaded.encode(x),
        "change": lambda: apply(z, [Step("noise", 0.1, 3)]),
        "first piece": lambda: next(decode_in_pieces(loaded, changed)),
        "first piece in the middle": lambda: next(decode_in_pieces(loaded, changed, 100_000)),
        "all pieces": lambda: list(decode_in_pieces(loaded, changed)),
    }
    made: dict[str, Any] = {"model": loaded.name}
    for name, step in steps.items():
        times = []
        for _ in range(5):
            began = time.process_time()
            step()
            times.append(1000 * (time.process_time() - began))
        made[f"{name}, ms"] = min(times)
    return made


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["long", "clients", "random", "preview", "pieces", "all"])
    parser.add_argument("--hours", type=float, default=3)
    parser.add_argument("--suffix", default=".wav", choices=[".wav", ".flac", ".mp3"])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--times", type=int, default=8, help="previews of each sort")
    parser.add_argument("--model", default="", help="of the previews; by default the default codec")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    parts = {
        "long": lambda: measure_long(given.hours, given.suffix),
        "clients": lambda: measure_clients(given.seconds),
        "random": lambda: measure_random(given.requests, given.seed),
        "preview": lambda: measure_preview(given.times + 1, given.model),
        "pieces": lambda: measure_pieces(given.model),
    }
    results = {}
    for name, measure in parts.items():
        if given.what in (name, "all"):
            results[name] = measure()
            print(name)
            for fact, value in results[name].items():
                print(f"  {fact:<28}{value:.2f}" if isinstance(value, float) else f"  {fact:<28}{value}")
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
