#!/usr/bin/env python3
"""Take pictures of the studio for the docs: python scripts/studio_pictures.py [--library FILE].

Needs playwright and Chromium. Each view is taken in light and dark, with the clips that ship; the library view needs a
library.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import PIL.Image

from celesta.models import registry

REPOSITORY = Path(__file__).resolve().parents[1]
IMAGES = REPOSITORY / "docs" / "images"
CLIPS = REPOSITORY / "src" / "celesta" / "clips"
SONG = "0/rock.ogg"
CODEC = registry.shipped(registry.Role.CODEC)[0].name
CHOICES = [*({"model": CODEC, "kbps": kbps} for kbps in (6, 12, 24)), {"model": "linear-64"}]


def wait(page: Any, script: str, seconds: float = 240) -> None:
    """Wait until a script is true."""
    for _ in range(round(seconds * 20)):
        if page.evaluate(script):
            return
        page.wait_for_timeout(50)
    raise SystemExit(f"not true within {seconds} s: {script}")


def shoot(page: Any, name: str) -> None:
    """Save a picture of the page as WebP."""
    page.wait_for_timeout(700)
    picture = PIL.Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.save(IMAGES / f"studio-{name}.webp", quality=80, method=6)


def views(page: Any, scheme: str, library: bool) -> None:
    """Take a picture of each view."""
    page.evaluate(f"location.hash = '#/song?song={SONG}&from=4&to=8'")
    wait(page, "document.querySelector('.wave') !== null")
    page.wait_for_timeout(2_500)
    shoot(page, f"song-{scheme}")
    page.evaluate("location.hash = location.hash.replace('#/song', '#/compare')")
    page.locator("button.primary").click()
    wait(page, f"celesta.compareDeck.tracks.size === {len(CHOICES) + 1}")
    wait(page, "document.querySelector('.panel .job') === null")
    page.keyboard.press("e")
    shoot(page, f"compare-{scheme}")
    page.evaluate("location.hash = location.hash.replace('#/compare', '#/vary')")
    wait(page, "celesta.varyDeck.tracks.size >= 1")
    page.wait_for_timeout(1_500)
    page.locator("fieldset", has_text="noise").get_by_role("slider").first.fill("0.2")
    wait(page, "celesta.varyDeck.tracks.size === 2")
    shoot(page, f"vary-{scheme}")
    page.evaluate("location.hash = location.hash.replace('#/vary', '#/insights')")
    if page.get_by_role("button", name="Predict", exact=True).count():
        page.get_by_role("button", name="Predict", exact=True).click()
    wait(page, "document.querySelector('.mood') !== null && document.querySelector('.view .job') === null")
    shoot(page, f"insights-{scheme}")
    if library:
        page.evaluate("location.hash = '#/library'")
        wait(page, "document.querySelectorAll('.song-row').length > 0")
        page.locator(".song-row").nth(2).click()
        wait(page, "document.querySelectorAll('.similar li').length > 0")
        shoot(page, f"library-{scheme}")
        page.get_by_role("button", name="Map", exact=True).click()
        page.wait_for_timeout(4_000)
        shoot(page, f"map-{scheme}")


def main() -> None:
    """Start a studio and take the pictures."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, help="a library; its songs' names are seen")
    parser.add_argument("--folder", type=Path, default=CLIPS, help="copy of the clips; its path is seen")
    given = parser.parse_args()
    options = ["--library", str(given.library)] if given.library else []
    words = [sys.executable, "-m", "celesta.cli.main", "studio", str(given.folder), *options, "--no-browser", "--json"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        with sync_playwright() as started:
            chromium = shutil.which("chromium") or shutil.which("chromium-browser")
            browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for scheme in ("light", "dark"):
                context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme)
                page = context.new_page()
                chosen = json.dumps(json.dumps(CHOICES))
                page.add_init_script(f"localStorage.setItem('celesta.compare.choices', {chosen})")
                page.goto(url)
                wait(page, "document.querySelector('main .view, main .empty') !== null")
                views(page, scheme, bool(given.library))
                context.close()
            browser.close()
    finally:
        process.terminate()
        process.wait(20)


if __name__ == "__main__":
    main()
