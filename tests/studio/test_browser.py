"""The studio in a real browser: issue 19, "Tests".

Needs the package playwright and Debian's chromium; skipped where one of them is missing.
"""

import importlib.util
import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from celesta import codec
from celesta.audio import Audio, read, write
from celesta.variations import Step, transform_file
from celesta.variations.recipes import parse_recipe

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
VIEWS = ("song", "compare", "vary", "insights", "library")
CHOICES = [{"model": "linear-64"}, {"model": "linear-8"}]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        options = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        opened = started.chromium.launch(executable_path=CHROMIUM, args=options)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser, library_studio):
    """The function `open_page(hash, **context)`: a page on the studio; problems in it fail the test."""
    server, _ = library_studio
    contexts, problems = [], []

    def opened(hash_="", server=server, **options):
        context = browser.new_context(viewport={"width": 1400, "height": 900}, **options)
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" and "of 4" not in m.text else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda r: None if server.address in r.url or r.url[:5] in ("blob:", "data:") else
                problems.append(f"fetched {r.url}"))  # fmt: skip
        page.add_init_script("localStorage.getItem('celesta.vary.model') ?? "
                             f"(localStorage.setItem('celesta.compare.choices', '{json.dumps(CHOICES)}'),"
                             "localStorage.setItem('celesta.vary.model', '\"linear-64\"'))")  # fmt: skip
        page.goto(server.url)
        page.wait_for_selector("main .view, main .empty")
        if hash_:
            page.evaluate(f"location.hash = {json.dumps(hash_)}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []


def until(page, script, seconds=60):
    """Wait until a script is true: wait_for_function needs eval, which the page's policy forbids."""
    end = time.monotonic() + seconds
    while not (found := page.evaluate(script)):
        said = page.locator(".toast, .warning, .command").all_inner_texts() if time.monotonic() > end else []
        assert time.monotonic() < end, f"not true within {seconds} s: {script}; the page says {said}"
        page.wait_for_timeout(30)
    return found


def song(page, ref, **query):
    view = query.pop("view", "song")
    rest = "".join(f"&{name}={value}" for name, value in query.items())
    page.evaluate(f"location.hash = '#/{view}?song=' + encodeURIComponent({json.dumps(ref)}) + '{rest}'")
    page.wait_for_selector(".wave" if view != "library" else ".library")


def drag(page, start, stop):
    box = page.locator(".wave").bounding_box()
    y = box["y"] + 40
    page.mouse.move(box["x"] + start * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + (start + stop) / 2 * box["width"], y)
    page.mouse.move(box["x"] + stop * box["width"], y)
    page.mouse.up()


COLOURS = """() => {
  const canvas = document.querySelector('.wave-picture'), h = canvas.height;
  const data = canvas.getContext('2d').getImageData(canvas.width / 2, Math.round(h * 0.5), canvas.width / 2, Math.round(h * 0.4)).data;
  const seen = new Set();
  for (let i = 0; i < data.length; i += 4) seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
  return seen.size;
}"""  # noqa: E501


def test_the_spectrogram_of_a_song_appears_when_it_has_been_read(open_page, run_studio, tmp_path, music):
    write(tmp_path / "new.wav", Audio(music(40 * 44_100, 2), 44_100), subtype="PCM_16")
    page = open_page(server=run_studio(tmp_path)[0])
    song(page, "0/new.wav")
    until(page, f"({COLOURS})() > 40")


def test_a_song_is_played_zoomed_selected_looped_and_survives_a_reload(open_page):
    page = open_page()
    song(page, "0/long.wav")
    until(page, "celesta.player.element.readyState >= 1")
    assert page.evaluate("celesta.player.element.duration") == pytest.approx(16, abs=0.01)
    page.locator("main").focus()
    page.keyboard.press("Space")
    until(page, "celesta.player.position() > 0.1")
    page.keyboard.press("Space")
    until(page, "!celesta.player.playing.value")
    drag(page, 0.25, 0.5)
    page.locator(".wave").focus()
    for _ in range(2):
        page.keyboard.press("+")
    page.keyboard.press("l")
    until(page, "/right=/.test(location.hash)")
    text = page.url.partition("#")[2]
    query = dict(part.split("=") for part in text.partition("?")[2].split("&"))
    assert float(query["from"]) == pytest.approx(4, abs=0.1)
    assert float(query["to"]) == pytest.approx(8, abs=0.1)
    assert float(query["right"]) - float(query["left"]) == pytest.approx(4, abs=0.1)
    page.evaluate(f"celesta.player.seek({float(query['to']) - 0.15})")
    page.keyboard.press("Space")
    until(page, "celesta.player.position() < 5")  # back to the beginning of the loop
    page.keyboard.press("Space")
    page.reload()
    page.wait_for_selector(".wave")
    until(page, "document.querySelector('.bar-selection') !== null")
    until(page, f"location.hash === {json.dumps('#' + text)}")


def test_the_buttons_of_the_browser_go_back(open_page):
    page = open_page()
    for ref, view in (("0/long.wav", "song"), ("0/short.flac", "compare"), ("0/long.wav", "song")):
        song(page, ref, view=view)
        until(page, f"location.hash === '#/{view}?song={ref.replace('/', '%2F')}'")  # the page has written it
    page.go_back()
    page.get_by_role("heading", name="short.flac").wait_for()
    page.get_by_role("button", name="Compare 0:00.0").wait_for()


def test_the_wheel_zooms_at_the_pointer_down_to_samples(open_page):
    page = open_page()
    song(page, "0/long.wav")
    box = page.locator(".wave").bounding_box()
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 50)
    for _ in range(24):
        page.mouse.wheel(0, -200)
    until(page, "(() => { const q = new URLSearchParams(location.hash.split('?')[1]);"
                " return q.get('right') && q.get('right') - q.get('left') < 0.01; })()")  # fmt: skip
    query = dict(part.split("=") for part in page.url.partition("?")[2].split("?")[-1].split("&"))
    left, right = float(query["left"]), float(query["right"])
    assert right - left < 0.01
    assert left - 0.04 < 12 < right + 0.04  # two pixels at the beginning


def test_formats_that_browsers_lack_are_played_as_wav(open_page, run_studio, tmp_path, music):
    import soundfile

    soundfile.write(tmp_path / "apple.aiff", music(44_100).T, 44_100)
    page = open_page(server=run_studio(tmp_path)[0])
    song(page, "0/apple.aiff")
    until(page, "celesta.player.element.readyState >= 1")
    assert "/api/wav" in page.evaluate("celesta.player.element.src")
    assert page.evaluate("celesta.player.element.duration") == pytest.approx(1, abs=0.001)


SWITCHING = """
async () => {
  const deck = celesta.compareDeck, ids = [...deck.tracks.keys()], rate = deck.context.sampleRate;
  const ctx = new OfflineAudioContext(1, rate * 3, rate), go = ctx.resume.bind(ctx);
  deck.stop(); deck.matched.value = false; deck.choose(ids[0]);
  deck.context = ctx;
  await deck.play();
  const times = [...Array(8).keys()].map(i => 0.5 + i * 0.25), jumps = [];
  times.forEach((t, i) => ctx.suspend(t).then(() => {
    const before = deck.position(), clock = ctx.currentTime;
    deck.choose(ids[(i + 1) % ids.length]);
    jumps.push(Math.abs((deck.position() - before) - (ctx.currentTime - clock)));
    go();
  }));
  const out = (await ctx.startRendering()).getChannelData(0);
  const mix = [...deck.tracks.values()].map(t => {
    const [a, b] = [t.buffer.getChannelData(0), t.buffer.getChannelData(t.buffer.numberOfChannels - 1)];
    return a.map((v, i) => 0.5 * (v + b[i]));
  });
  const first = Math.round(0.02 * rate);
  let exact = 0, wrong = 0;
  for (let n = first + 400; n < out.length; n++) {
    const i = times.filter(t => t <= n / rate).length;
    if (i && n / rate - times[i - 1] < 0.016) continue; // a cross-fade
    const clip = mix[i % ids.length];
    Math.abs(out[n] - clip[(n - first) % clip.length]) < 1e-5 ? exact++ : wrong++;
  }
  deck.stop();
  return {exact, wrong, jumps, tracks: ids.length};
}
"""


def test_versions_are_compared_and_switched_while_playing_without_a_jump(open_page):
    """The clock must not jump by more than 10 ms, and between the cross-fades each sample is the chosen version's."""
    page = open_page()
    song(page, "0/long.wav", view="compare")
    page.get_by_role("button", name="Compare 0:00.0").click()
    until(page, "celesta.compareDeck.tracks.size === 3")
    rows = page.locator("table.versions tbody tr")
    assert rows.count() == 3
    assert float(rows.nth(1).locator("td").nth(1).inner_text()) > float(rows.nth(2).locator("td").nth(1).inner_text())
    page.locator("main").focus()
    page.keyboard.press("Space")
    until(page, "celesta.compareDeck.playing.value && celesta.compareDeck.position() > 0.1")
    drift = "celesta.compareDeck.position() - celesta.compareDeck.context.currentTime"
    before = page.evaluate(drift)
    for key in "weqwq":
        page.keyboard.press(key)
        page.wait_for_timeout(40)
        assert abs(page.evaluate(drift) - before) < 0.01
    page.keyboard.press("w")
    assert page.evaluate("celesta.compareDeck.chosen.value") == "linear-64"
    found = page.evaluate(SWITCHING)
    assert found["wrong"] == 0
    assert found["exact"] > 80_000
    assert max(found["jumps"]) < 0.01
    page.reload()  # the comparison is still there
    until(page, "celesta.compareDeck.tracks.size === 3")


def test_the_difference_is_what_a_version_lacks(open_page):
    page = open_page()
    song(page, "0/short.flac", view="compare")
    page.get_by_role("button", name="Compare 0:00.0").click()
    until(page, "celesta.compareDeck.tracks.size === 3")
    page.locator("button.version", has_text="linear-8").click()
    page.get_by_role("switch", name="Difference").check()
    wrong = page.evaluate("""() => {
      const t = celesta.compareDeck.tracks, get = id => t.get(id).buffer.getChannelData(0);
      const [a, b, d] = [get('original'), get('linear-8'), get('difference: linear-8')];
      return Math.max(...d.map((v, i) => Math.abs(v - Math.max(-1, Math.min(1, 10 * (a[i] - b[i]))))).slice(0, 50000));
    }""")
    assert wrong < 1e-5


def test_a_blind_test_gives_its_p_value(open_page):
    page = open_page()
    song(page, "0/short.flac", view="compare")
    page.get_by_role("button", name="Compare 0:00.0").click()
    until(page, "celesta.compareDeck.tracks.size === 3")
    page.get_by_role("button", name="Blind test (ABX)").click()
    page.get_by_label("Trials").select_option("5")
    page.get_by_role("button", name="Begin", exact=True).click()
    for _ in range(5):
        page.keyboard.press("x")
        heard = page.evaluate("celesta.compareDeck.chosen.value")
        page.get_by_role("button", name="X is A" if heard == "original" else "X is B").click()
    page.get_by_text("5 of 5 right").wait_for()
    assert "p = 0.031" in page.locator(".verdict").inner_text()


def test_variations_are_previewed_undone_and_exported(open_page, songs, tmp_path):
    """The exported file has the bits of the same call of the package."""
    page = open_page()
    song(page, "0/long.wav", view="vary", **{"from": 1, "to": 3})
    until(page, "celesta.varyDeck.tracks.size === 1")
    slider = page.locator("fieldset", has_text="gain").get_by_role("slider").first
    slider.fill("0.5")
    until(page, "celesta.varyDeck.tracks.size === 2")
    until(page, "celesta.varyDeck.chosen.value === 'variation'")
    until(page, "document.querySelector('.command code')?.textContent.includes('--gain 0.5')")
    page.keyboard.press("Control+z")
    until(page, "celesta.varyDeck.tracks.size === 1")
    page.keyboard.press("Control+Shift+z")
    until(page, "celesta.varyDeck.tracks.size === 2")
    page.reload()
    until(page, "celesta.varyDeck.tracks.size === 2")  # the step is still there
    page.get_by_label("Format").select_option("wav")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export", exact=True).click()
    download.value.save_as(tmp_path / "got.wav")
    transform_file(codec.load("linear-64"), songs / "long.wav", tmp_path / "wanted.wav", [Step("gain", 0.5)])
    assert (tmp_path / "got.wav").read_bytes() == (tmp_path / "wanted.wav").read_bytes()
    with page.expect_download() as download:
        page.get_by_role("button", name="Recipe").first.click()
    recipe = parse_recipe(Path(download.value.path()).read_text())
    assert (recipe.model, recipe.steps) == ("linear-64", (Step("gain", 0.5),))


def test_previews_have_the_audio_of_the_package(open_page, songs):
    page = open_page()
    song(page, "0/long.wav", view="vary", **{"from": 1, "to": 3})
    until(page, "celesta.varyDeck.tracks.size === 1")
    page.locator("fieldset", has_text="gain").get_by_role("slider").first.fill("0.5")
    until(page, "celesta.varyDeck.tracks.size === 2")
    until(page, "!celesta.coming.value")
    got = page.evaluate("[...celesta.varyDeck.tracks.get('variation').buffer.getChannelData(0)]")
    model = codec.load("linear-64")
    z = model.encode(read(songs / "long.wav", start=1, duration=2))
    assert np.allclose(got, model.decode(0.5 * z).samples[0], atol=1e-5)


def test_a_job_is_cancelled(open_page, library_studio):
    _, client = library_studio
    page = open_page()
    page.evaluate("localStorage.setItem('celesta.compare.mode', '\"ladder\"')")
    page.reload()
    song(page, "0/long.wav", view="compare")
    page.get_by_role("button", name="Compare 0:00.0").click()
    page.locator(".panel .job").get_by_role("button", name="Cancel").click()
    end = time.monotonic() + 60
    while (job := client.json(client.get("/jobs"))["jobs"][-1])["state"] == "running" and time.monotonic() < end:
        time.sleep(0.05)
    assert (job["kind"], job["state"]) == ("ladder", "cancelled")
    until(page, "document.querySelector('.panel .job') === null")


def test_a_library_is_searched_and_a_playlist_built(open_page, songs):
    page = open_page("#/library")
    page.wait_for_selector(".song-row")
    assert page.locator(".song-row").count() == 5
    page.get_by_label("Search the library").fill("deep")
    until(page, "document.querySelectorAll('.song-row').length === 1")
    page.get_by_label("Search the library").fill("")
    until(page, "document.querySelectorAll('.song-row').length === 5")
    page.locator(".song-row", has_text="long").click()
    page.wait_for_selector(".similar li")
    assert page.locator(".similar li").count() == 4
    page.locator(".song-row", has_text="long").drag_to(page.locator(".playlist"))
    page.locator(".song-row", has_text="short").drag_to(page.locator(".playlist"))
    assert page.locator(".playlist .list li").count() == 2
    page.reload()
    page.wait_for_selector(".playlist .list li")
    with page.expect_download() as download:
        page.get_by_role("button", name="M3U8").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    wanted = [str(songs / "long.wav"), str(songs / "short.flac")]
    assert sorted(line for line in lines if not line.startswith("#")) == wanted
    page.get_by_role("button", name="Map", exact=True).click()
    page.get_by_label("Map of 5 songs by Similarity").wait_for()


TWINS = """
async ([a, b]) => {
  const deck = celesta.twinDeck, rate = deck.context.sampleRate, was = deck.context;
  const ctx = new OfflineAudioContext(1, rate * 3, rate), go = ctx.resume.bind(ctx);
  deck.stop(); deck.choose(a); deck.context = ctx;
  await deck.play();
  const before = [];
  ctx.suspend(1).then(() => {
    const at = deck.position();
    deck.choose(b);
    before.push(Math.abs(deck.position() - at));
    go();
  });
  const out = (await ctx.startRendering()).getChannelData(0);
  deck.stop(); deck.context = was;
  const music = deck.tracks.get(a).buffer;
  const mix = music.getChannelData(0).map((v, i) => 0.5 * (v + music.getChannelData(music.numberOfChannels - 1)[i]));
  return {rate, jump: before[0], out: [...out], music: [...mix.slice(0, rate * 3)]};
}
"""


def test_duplicates_play_next_to_each_other_aligned(open_page, library_studio):
    """The copy begins with 3 s of silence: switching keeps the place of the music within 10 ms of Web Audio's clock."""
    page = open_page("#/library")
    page.get_by_role("button", name="Duplicates", exact=True).click()
    page.get_by_role("button", name="Find duplicates").click()
    copies = page.locator(".twin-group .twin")
    copies.nth(1).wait_for()
    assert copies.count() == 2
    page.get_by_role("button", name="long.wav").click()
    until(page, "celesta.twinDeck.playing.value && celesta.twinDeck.position() > celesta.twinDeck.offset + 0.1")
    drift = "celesta.twinDeck.position() - celesta.twinDeck.context.currentTime"
    before = page.evaluate(drift)
    page.get_by_role("button", name="copy.flac").click()
    assert abs(page.evaluate(drift) - before) < 0.01
    assert "copy.flac" in page.locator(".twin.chosen").inner_text()
    ids = [page.evaluate("celesta.twinDeck.chosen.value")]
    page.keyboard.press("Escape")
    page.get_by_role("button", name="long.wav").click()
    ids.insert(0, page.evaluate("celesta.twinDeck.chosen.value"))
    found = page.evaluate(TWINS, ids)
    assert found["jump"] < 0.01
    rate, out, music = found["rate"], np.array(found["out"]), np.array(found["music"])
    here = slice(round(1.5 * rate), round(2.5 * rate))  # the copy is audible
    around = round(0.05 * rate)
    wide = music[here.start - around : here.stop + around]
    lag = int(np.argmax(np.correlate(wide, out[here], "valid"))) - around
    assert abs(lag / rate + 0.02) < 0.001  # playing begins 20 ms after the clock's zero


def test_sections_are_found_and_selected(open_page):
    page = open_page()
    song(page, "0/long.wav", view="insights")
    parts = page.locator(".strip .part")
    parts.nth(1).wait_for()
    assert [parts.nth(i).inner_text() for i in range(parts.count())] == ["A", "B"]
    parts.nth(1).click()
    until(page, "location.hash.includes('to=16.000')")


def test_a_part_of_a_song_finds_others(open_page):
    page = open_page("#/library")
    page.locator(".song-row", has_text="copy").click()
    page.get_by_role("button", name="Part 0:00 to 0:15").click()
    until(page, "document.querySelector('.command code')?.textContent.includes('--from 0 --to')", 200)
    page.wait_for_selector(".similar li")


def test_an_address_that_was_typed_makes_one_entry_of_the_history(open_page):
    page = open_page()
    before = page.evaluate("history.length")
    page.evaluate("location.hash = '#/song?song=0/sub/deep.ogg'")
    page.get_by_role("heading", name="deep.ogg").wait_for()
    until(page, "location.hash === '#/song?song=0%2Fsub%2Fdeep.ogg'")
    assert page.evaluate("history.length") == before + 1


def test_files_that_are_dropped_are_opened_and_bad_ones_explained(open_page, songs):
    page = open_page()
    page.locator("input[type=file]").set_input_files(str(songs / "short.flac"))
    page.get_by_role("heading", name="short.flac").wait_for()
    page.locator("input[type=file]").set_input_files(str(songs / "broken.wav"))
    page.locator(".toast.error", has_text="broken.wav").wait_for()


def test_empty_states_and_errors_say_what_to_do(browser, run_studio, tmp_path):
    server, _ = run_studio(tmp_path)
    page = browser.new_page()
    page.goto(server.url)
    page.get_by_text("No audio in this folder").wait_for()
    page.evaluate("location.hash = '#/library'")
    page.get_by_text("celesta library add FOLDER").wait_for()
    page.evaluate("location.hash = '#/song?song=0/gone.wav'")
    page.get_by_role("alert").get_by_text("was it moved").wait_for()
    page.close()


@pytest.mark.skipif(importlib.util.find_spec("axe_playwright_python") is None, reason="no axe-core")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_page, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = open_page(color_scheme=scheme)
    found = {}
    for view in VIEWS if scheme == "light" else ("song", "vary", "library"):
        song(page, "0/long.wav", view=view, **{"from": 1, "to": 3})
        page.wait_for_timeout(500)
        if view == "library":
            page.locator(".song-row").first.click()
            page.wait_for_selector(".similar li")
        for one in Axe().run(page).response["violations"]:
            if one["impact"] in ("serious", "critical"):
                found[view, one["id"]] = [node["html"][:160] for node in one["nodes"][:4]]
    assert found == {}


@pytest.mark.parametrize("width", [360, 1100, 3840])
def test_every_view_fits_its_window(open_page, width):
    page = open_page()
    page.set_viewport_size({"width": width, "height": 800 if width < 2_000 else 2_160})
    for view in VIEWS:
        song(page, "0/long.wav", view=view)
        page.wait_for_timeout(80)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        wide = page.evaluate("""() => [...document.querySelectorAll('main button, main select, main h2, main .panel')]
          .filter(e => e.offsetParent && !e.closest('.table, .similar, .table-wrap')
            && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 90))""")
        assert wide == [], view
