"""The page that ships was built from the sources in the repository, is small, and needs nothing from elsewhere."""

import gzip
import hashlib
import re
from pathlib import Path

import celesta.studio.app as app

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = REPOSITORY / "studio-web"


def test_the_page_was_built_from_these_sources():
    digest = hashlib.sha256()
    names = sorted(path.relative_to(SOURCES).as_posix() for path in (SOURCES / "src").rglob("*") if path.is_file())
    for name in [*names, "package-lock.json"]:
        digest.update(f"{name}\n".encode())
        digest.update((SOURCES / name).read_bytes())
    built = (app.STATIC / "built-from.txt").read_text().strip()
    assert built == digest.hexdigest(), "the page is out of date: cd studio-web && npm ci && npm run build"


def test_script_and_style_have_at_most_400_kb_gzipped():
    files = [path for path in app.STATIC.iterdir() if path.suffix in (".js", ".css")]
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < 400_000


def test_the_page_names_no_other_server():
    for path in app.STATIC.iterdir():
        found = set(re.findall(r"https?://[\w.-]+", path.read_text(encoding="utf-8")))
        assert found <= {"http://www.w3.org"}, path.name  # names of XML
