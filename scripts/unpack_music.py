"""Unpack the free music of Debian's packages as plain files, for benchmarks.

python scripts/unpack_music.py --cache DEBS -o FOLDER

Packages that are not in the cache are downloaded by apt-get. Files that are there already are left alone.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from _packages import check_md5, download, open_member, read_list, unpack

from celesta.errors import DataError


def target_of(folder: Path, package: str, number: int, member: str) -> Path:
    """The file of a track: its package, its place in the list, its name."""
    return folder / package / f"{number:03d}-{Path(member.rpartition('!')[2]).name}"


def main() -> None:
    """Unpack all tracks of the list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True, help="folder of .deb files")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--list", type=Path, default=Path(__file__).parent / "free-music.tsv")
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    count = 0
    for package, tracks in read_list(args.list).items():
        missing = {
            target_of(args.output, package, i, track.member): track
            for i, track in enumerate(tracks)
            if not target_of(args.output, package, i, track.member).exists()
        }
        try:
            if missing:
                (args.output / package).mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryDirectory(dir=args.output) as name:
                    names = {track.member.partition("!")[0] for track in missing.values()}
                    unpacked = unpack(download(package, args.cache), names, Path(name))
                    for target, track in missing.items():
                        path = open_member(track.member, unpacked, Path(name))
                        check_md5(path, track.md5)
                        shutil.copy(path, target)
        except DataError as error:
            print(f"{package}: {error}", file=sys.stderr)
            continue
        count += len(tracks)
        print(f"{package}: {len(tracks)} tracks", flush=True)
    print(f"{count} tracks")


if __name__ == "__main__":
    main()
