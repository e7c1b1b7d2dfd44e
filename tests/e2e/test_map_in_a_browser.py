"""The map of a library in a real browser: look, search, choose by keyboard, circle songs, save a playlist.

Needs the package playwright and Debian's chromium; skipped where one of them is missing.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from celesta.library import Song, SongMap
from celesta.report.library_map import write_map

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium")

# Controls without a name for screen readers.
NAMELESS = """
[...document.querySelectorAll("button, input, select, canvas[tabindex]")]
  .filter(e => !(e.ariaLabel || e.textContent.trim() || e.labels?.length)).length
"""
COLOURS = """
() => {
  paint.draw();
  const copy = Object.assign(document.createElement("canvas"), {width: canvas.width, height: canvas.height});
  const context = copy.getContext("2d");
  context.drawImage(canvas, 0, 0);
  return new Set(new Uint32Array(context.getImageData(0, 0, copy.width, copy.height).data.buffer)).size;
}
"""


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A map of 60 songs: a third each in three places; names hold what a playlist and a page could stumble over."""
    folder = tmp_path_factory.mktemp("music")
    rng = np.random.default_rng(0)
    songs, xy = [], []
    for i in range(60):
        centre = [(-0.7, -0.7), (0.7, -0.6), (0.0, 0.8)][i % 3]
        xy.append(np.array(centre) + 0.08 * rng.standard_normal(2))
        values, labels = {"tempo": 60.0 + i}, {"genre": {("rock", "jazz", "folk")[i % 3]: 0.9}, "mood": {"calm": 0.6}}
        path = folder / f"100% #{i} é.ogg"
        songs.append(Song(i, path, False, 100.0 + i, {"artist": f"Artist {i % 7}"}, values, labels))
    made = SongMap(songs, np.array(xy, np.float32), np.arange(60) % 3, ["rock", "jazz", "folk"], 60, 0.9, 0.9)
    return write_map(made, folder / "map.html"), songs


def opened(browser, written, **options):
    errors = []
    page = browser.new_page(**options)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda asked: asked.url.startswith(("file:", "blob:")) or errors.append(asked.url))
    page.goto(written[0].as_uri())
    page.wait_for_function("width > 1")
    return page, errors


def test_search_keyboard_lasso_and_playlist(browser, written, tmp_path):
    page, errors = opened(browser, written, viewport={"width": 1400, "height": 900}, accept_downloads=True)
    assert page.get_by_role("heading", level=1).inner_text() == "Map of 60 songs"
    assert [one.inner_text() for one in page.locator("#legend button").all()] == ["rock (20)", "jazz (20)", "folk (20)"]
    page.get_by_label("Search").fill("#17 artist")
    page.get_by_role("button", name="Artist 3 – 100% #17 é").click()
    assert page.locator("#name").inner_text() == "Artist 3 – 100% #17 é"
    assert "1:57, 77 bpm, folk, calm" in page.locator("#facts").inner_text()
    assert page.locator("#audio").get_attribute("src") == written[1][17].path.as_uri()
    page.get_by_label("Search").fill("")
    page.get_by_role("button", name="Whole map").click()
    page.locator("#points").focus()
    for key in ("+", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    assert "Chosen: " in page.locator("#said").inner_text()
    page.keyboard.press("0")
    page.get_by_role("button", name="Lasso").click()
    box = page.locator("#points").bounding_box()
    # Circle the place at the top, where every third song is.
    corners = [(0.3, 0.02), (0.7, 0.02), (0.7, 0.35), (0.3, 0.35)]
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*at[0])
    page.mouse.down()
    for corner in at[1:]:
        page.mouse.move(*corner, steps=4)
    page.mouse.up()
    assert page.locator("#count").inner_text() == "20 selected"
    with page.expect_download() as download:
        page.get_by_role("button", name="Save playlist").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert download.value.suggested_filename == "selection.m3u8"
    assert lines[0] == "#EXTM3U"
    assert sorted(lines[2::2]) == sorted(str(song.path) for song in written[1][2::3])
    assert all(line.startswith("#EXTINF:") for line in lines[1::2])
    assert errors == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_it_fits_the_window_and_draws_its_points(browser, written, width, scheme):
    page, errors = opened(browser, written, viewport={"width": width, "height": 800}, color_scheme=scheme)
    for key in ("mood", "tempo", "cluster", "folder", "genre"):
        page.get_by_label("Colour by").select_option(key)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(NAMELESS) == 0
    # Points are drawn: the picture of the canvas has many colours.
    page.wait_for_timeout(200)
    assert page.evaluate(COLOURS) > 10
    assert errors == []
    page.close()
