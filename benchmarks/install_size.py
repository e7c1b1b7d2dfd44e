"""Size of an installation: what a user gets from pip, package by package, with and without compiled bytecode.

Run: python benchmarks/install_size.py [--extra NAME ...] [--keep FOLDER] [--json FILE]

Makes a fresh environment (python -m venv), installs this repository with pip as a user does, and adds up what lies on
the disk. 1 MB is 1 048 576 bytes, as `du -m` counts. Exits with 1 where the core takes more than 450 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BOUND = 450
MEGA = 1 << 20
_LIST = """
import importlib.metadata, json
found = {}
for one in importlib.metadata.distributions():
    found[one.metadata["Name"]] = [str(one.locate_file(file)) for file in one.files or ()]
print(json.dumps(found))
"""
Sizes = dict[str, list[float]]
"""Name of a package to MB of its files and of its bytecode."""


def install(folder: Path, extras: list[str]) -> None:
    """Make the environment and install the repository in it."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    what = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    pip = [folder / "bin" / "pip", "install", "-q", "--disable-pip-version-check", "-c", ROOT / "constraints.txt", what]
    subprocess.run(pip, check=True)


def on_disk(path: Path) -> int:
    """Bytes that a file takes, as du counts."""
    return path.lstat().st_blocks * 512


def packages(folder: Path) -> Sizes:
    """Add up the files of each package that pip lists."""
    listed = subprocess.run([folder / "bin" / "python", "-c", _LIST], check=True, capture_output=True, text=True)
    found: Sizes = {}
    for name, files in json.loads(listed.stdout).items():
        sums = [0.0, 0.0]
        for file in {Path(file) for file in files}:
            if file.is_file():
                sums["__pycache__" in file.parts] += on_disk(file) / MEGA
        found[name] = sums
    return found


def total(folder: Path) -> tuple[float, float]:
    """MB of everything in a folder, and of bytecode in it, each folder counted too."""
    everything = bytecode = float(on_disk(folder))
    bytecode = 0.0
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            size = on_disk(Path(parent) / name)
            everything += size
            bytecode += size if "__pycache__" in parent or name == "__pycache__" else 0
    return everything / MEGA, bytecode / MEGA


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extra", action="append", default=[])
    parser.add_argument("--keep", type=Path, help="make the environment here and leave it, or measure the one there")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary) / "venv"
        if not (folder / "pyvenv.cfg").is_file():
            install(folder, args.extra)
        found, (everything, bytecode) = packages(folder), total(folder)
    print(f"{'package':24} {'MB':>7} {'bytecode MB':>12}")
    for name, (files, compiled) in sorted(found.items(), key=lambda item: -sum(item[1])):
        if files + compiled >= 1:
            print(f"{name:24} {files:7.1f} {compiled:12.1f}")
    print(f"{'together':24} {everything - bytecode:7.1f} {bytecode:12.1f}")
    print(f"the environment takes {everything:.0f} MB, {everything - bytecode:.0f} MB without bytecode")
    if args.json:
        figures = {"extras": args.extra, "total": everything, "bytecode": bytecode, "packages": found}
        args.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 1 if not args.extra and everything > BOUND else 0


if __name__ == "__main__":
    sys.exit(main())
