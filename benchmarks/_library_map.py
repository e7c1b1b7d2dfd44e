"""Time the page of a library's map in Chromium, with as many points as asked for."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from celesta.library import Song, SongMap
from celesta.report.library_map import write_map

WATCH = """
() => {
  window.frames_ = [];
  let last = performance.now();
  const tick = now => { frames_.push(now - last); last = now; requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
}
"""
DRAWN = """
() => {
  const times = [];
  for (let i = 0; i < 20; i++) {
    const began = performance.now();
    paint.draw();
    const pixel = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d");
    pixel.drawImage(canvas, 0, 0);
    pixel.getImageData(0, 0, 1, 1);  // waits until the picture is there
    times.push(performance.now() - began);
  }
  return times;
}
"""


def synthetic_map(count: int, seed: int) -> SongMap:
    """Songs in 40 clouds, with artists, genres, moods and tempi."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-0.8, 0.8, (40, 2))
    cluster = rng.integers(40, size=count)
    xy = (centres[cluster] + 0.06 * rng.standard_normal((count, 2))).clip(-1, 1).astype(np.float32)
    genres, moods = ("rock", "jazz", "folk", "blues", "metal", "pop"), ("happy", "angry", "sad", "calm")
    songs = [
        Song(
            i,
            Path(f"/music/folder {i % 500}/song {i}.flac"),
            False,
            180.0,
            {"artist": f"artist {i % 5000}", "title": f"title {i}"},
            {"tempo": 60.0 + i % 120},
            {"genre": {genres[int(c) % 6]: 0.9}, "mood": {moods[int(c) % 4]: 0.8}},
        )
        for i, c in enumerate(cluster)
    ]
    return SongMap(songs, xy, cluster, [f"cluster {i}" for i in range(40)], count, 0.9, 0.9)


def map_frames(args: argparse.Namespace) -> None:
    """Write a page of synthetic points, and print how long it takes to open and from frame to frame."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        page_file = write_map(synthetic_map(args.songs, args.seed), Path(folder, "map.html"))
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 900}, bypass_csp=True)
        began = time.perf_counter()
        page.goto(page_file.as_uri())
        page.wait_for_function("width > 1")
        opened = time.perf_counter() - began
        print(f"{args.songs} points, {page_file.stat().st_size / 1e6:.1f} MB; open after {opened:.2f} s")
        drawn = np.array(page.evaluate(DRAWN))
        print(f"a frame drawn in {np.median(drawn):.1f} ms (median of {len(drawn)})")
        box = page.locator("#points").bounding_box()
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(*middle)
        for name, steps in (("moving", True), ("zooming", False)):
            page.evaluate(WATCH)
            if steps:
                page.mouse.down()
                page.mouse.move(middle[0] + 300, middle[1] + 200, steps=60)
                page.mouse.up()
            else:
                for _ in range(30):
                    page.mouse.wheel(0, -60)
            times = np.array(page.evaluate("frames_"))[1:]
            median, slow = np.percentile(times, [50, 90])
            print(
                f"{name}: from frame to frame {median:.0f} ms (median of {len(times)}), 90th percentile {slow:.0f} ms"
            )
        began = time.perf_counter()
        page.get_by_label("Search").fill("title 777")
        page.wait_for_function("document.querySelector('#list').innerText.includes('title 777')")
        print(f"search: first answers after {1000 * (time.perf_counter() - began):.0f} ms")
        browser.close()
