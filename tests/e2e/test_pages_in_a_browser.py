"""Pages in a real browser: players switch on one clock, nothing is fetched, nothing is wider than the window.

Needs the package playwright and Debian's chromium; skipped where one of them is missing.
"""

import shutil

import numpy as np
import pytest

from celesta.audio import Audio, write
from celesta.predict.song import SongPrediction
from celesta.probes.clustering import Clustering
from celesta.probes.song_clusters import Song, SongClusters
from celesta.report.clusters import write_page as write_clusters
from celesta.report.figures import curves
from celesta.report.page import Page
from celesta.report.player import Track
from celesta.report.predictions import write_page

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium")

# An offline context runs as fast as it can and stops where it is told, whatever the load of the machine.
SWITCHING = """
async () => {
  const p = celestaPlayers[0], rate = 48000;
  const ctx = new OfflineAudioContext(1, rate * 3, rate), go = ctx.resume.bind(ctx);
  ctx.resume = async () => {};
  audioContext = ctx;
  await p.toggle();
  const times = [...Array(11).keys()].map(i => 0.5 + i * 0.2);
  times.forEach((t, i) => ctx.suspend(t).then(() => { p.choose((i + 1) % p.lanes.length); go(); }));
  const out = (await ctx.startRendering()).getChannelData(0);
  const clips = p.buffers.map(b => b.getChannelData(0)), first = Math.round(p.startedAt * rate);
  let exact = 0, wrong = 0;
  for (let n = first + 600; n < out.length; n++) {
    const i = times.filter(t => t <= n / rate).length;
    if (i && n / rate - times[i - 1] < 0.0135) continue; // a cross-fade
    const clip = clips[i % clips.length];
    Math.abs(out[n] - clip[(n - first) % clip.length]) < 1e-6 ? exact++ : wrong++;
  }
  return {exact, wrong};
}
"""


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(tmp_path, music):
    made = Page("Players", "Two of them.")
    x = music(96_000, sample_rate=48_000)
    for i in range(2):
        made.section(f"clip {i}")
        made.player([Track("a", Audio(x, 48_000)), Track("b", Audio(-0.5 * x, 48_000))], f"Player {i}")
    made.table(["a name that is long", *"bcdefghijklmnop"], [["x" * 60, *["1234567.89"] * 15]])
    made.figure(curves({"a": [(1, 2), (2, 3)]}, "x", ["y"]), "curve")
    return made.write(tmp_path / "page.html")


def test_switching_versions_keeps_the_time_to_the_sample(browser, page):
    """Issue 14, section 1: A/B switching on one clock; outside the cross-fades each sample is the chosen clip's."""
    tab = browser.new_page()
    tab.goto(page.as_uri())
    found = tab.evaluate(SWITCHING)
    tab.close()
    assert found["wrong"] == 0
    assert found["exact"] > 100_000


@pytest.mark.parametrize("width", [400, 800, 1400])
def test_pages_fit_their_window_and_fetch_nothing(browser, page, width):
    tab = browser.new_page(viewport={"width": width, "height": 900})
    problems, requests = [], []
    tab.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(page.as_uri())
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert [url for url in requests if not url.startswith(("data:", "file:"))] == []
    assert problems == []
    tab.close()


def test_keys_switch_and_seek(browser, page):
    tab = browser.new_page()
    tab.goto(page.as_uri())
    tab.locator("input[type=radio]").first.focus()
    tab.keyboard.press("2")
    assert tab.evaluate("celestaPlayers.map(p => p.chosen)") == [1, 0]
    tab.locator(".play").first.focus()
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate("celestaPlayers[0].position()") == pytest.approx(1)
    tab.close()


def test_songs_are_found_and_played_from_their_files(browser, tmp_path, music):
    write(tmp_path / "a b#.wav", Audio(music(16_000, sample_rate=8_000), 8_000))
    classes = {"mood": ("happy", "angry", "sad", "calm")}
    songs = [
        SongPrediction(
            tmp_path / "a b#.wav",
            duration=20.0,
            classes=classes,
            probabilities={"mood": np.roll([0.7, 0.1, 0.1, 0.1], i)},
            times=np.array([0.0, 10.0]),
            over_time={"mood": np.full((2, 4), 0.25)},
        )
        for i in range(4)
    ]
    path = write_page(songs, tmp_path / "out" / "songs.html")
    tab = browser.new_page()
    tab.goto(f"{path.as_uri()}#song-2")
    assert tab.evaluate("document.querySelector('#song-2').open")
    tab.evaluate("document.querySelector('#song-2 audio').load()")
    for _ in range(200):  # wait_for_function needs eval, which the page's policy forbids
        if tab.evaluate("document.querySelector('#song-2 audio').readyState > 0"):
            break
        tab.wait_for_timeout(50)
    assert tab.evaluate("document.querySelector('#song-2 audio').duration") == pytest.approx(2, abs=0.01)
    tab.fill(".filter input", "calm")
    assert tab.evaluate("[...document.querySelectorAll('.song')].map(s => s.hidden)") == [True, True, True, False]
    tab.close()


def test_a_table_that_goes_on_shows_so(browser, page):
    """Issue 14, item 26: tables were cut at the edge of a page without a sign."""
    tab = browser.new_page(viewport={"width": 400, "height": 900})
    tab.goto(page.as_uri())
    tab.locator(".table .more").first.wait_for(state="visible")
    tab.evaluate("document.querySelector('.table .scroll').scrollLeft = 1e6")
    tab.locator(".table .more").first.wait_for(state="hidden")
    tab.close()


def test_a_click_on_the_map_plays_the_song(browser, tmp_path, music):
    """A point of the map named its song after a second, and led away from the page."""
    songs, rng = [], np.random.default_rng(0)
    for i in range(3):
        write(tmp_path / f"{i}.wav", Audio(music(8_000), 8_000))
        songs.append(Song(tmp_path / f"{i}.wav", f"Title {i}", "", ""))
    found = Clustering("kmeans", 2, 2, 0, np.array([0, 1, 1]), rng.normal(size=(3, 2)), None, None, None, 1.0)
    made = SongClusters("handcrafted", songs, [found], 2, "given", {}, {})
    tab = browser.new_page()
    tab.goto(write_clusters(made, tmp_path / "map.html").as_uri())
    tab.locator(".dot").nth(1).click()
    assert "Title 1" in tab.locator(".map output").text_content()
    assert tab.evaluate("document.querySelector('.map audio').src").endswith("1.wav")
    tab.close()
