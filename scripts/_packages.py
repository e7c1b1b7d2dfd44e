"""The list of free music, and its tracks out of Debian's packages: download, unpack, check."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from celesta.errors import DataError

VALID = ("openclonk-data", "lincity-ng-data", "enigma-data", "freedink-data", "ardentryst", "xmoto-data")
# The most music for the least download; 0ad-data is 1.4 GB and comes last.
DENSE = (
    "warzone2100-music",
    "wesnoth-1.16-music",
    "nexuiz-music",
    "blobwars-data",
    "colobot-common-sounds",
    "singularity-music",
    "marsshooter-data",
    "drascula-music",
    "fretsonfire-songs-sectoid",
    "fretsonfire-songs-muldjord",
    "pushover-data",
    "trackballs-data",
    "wizznic-data",
    "davegnukem-data",
    "ufoai-music",
)
LAST = ("0ad-data",)


@dataclass(frozen=True)
class Listed:
    """One row of the list."""

    package: str
    member: str
    md5: str
    genre: str
    licence: str


def read_list(path: Path) -> dict[str, list[Listed]]:
    """The tracks of every package, the most useful packages first."""
    packages: dict[str, list[Listed]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            track = Listed(row["package"], row["member"], row["md5"], row["genre_tag"], row["licence"])
            packages.setdefault(track.package, []).append(track)
    early = [name for name in (*DENSE, *VALID) if name in packages]
    rest = sorted(set(packages) - {*early, *LAST}, key=list(packages).index)
    return {name: packages[name] for name in [*early, *rest, *(set(LAST) & set(packages))]}


def download(package: str, cache: Path) -> Path:
    """The package's .deb in the cache folder, fetched by apt-get where it is not there yet."""
    if found := sorted(cache.glob(f"{package}_*.deb")):
        return found[-1]
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as folder:
        os.chmod(folder, 0o755)
        done = subprocess.run(["apt-get", "-q", "download", package], cwd=folder, capture_output=True, text=True)
        if done.returncode or not (debs := list(Path(folder).glob("*.deb"))):
            lines = [line for line in done.stderr.splitlines() if line.startswith("E:")] or ["no .deb came"]
            raise DataError(f"{package}: apt-get download failed ({lines[-1]}); run apt-get update")
        return debs[0].rename(cache / debs[0].name)


def unpack(deb: Path, names: set[str], folder: Path) -> dict[str, Path]:
    """Write the named plain files of a .deb below `folder`; returns where each lies. Nothing else is written.

    Where a package has a file without the suffix, it is that one: blobwars-data's music has none.
    """
    found: dict[str, Path] = {}
    listed = {name.removesuffix(Path(name).suffix): name for name in names} | {name: name for name in names}
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as process:
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as tar:
                for entry in tar:
                    name = listed.get(entry.name.removeprefix("./"), "")
                    data = tar.extractfile(entry) if name and entry.isfile() else None
                    if data is None:
                        continue
                    found[name] = folder / f"{len(found)}{Path(name).suffix}"
                    with found[name].open("wb") as file:
                        shutil.copyfileobj(data, file)
            while process.stdout.read(1 << 20):  # the padding, or dpkg-deb fails on a closed pipe
                pass
        except (tarfile.TarError, EOFError) as error:
            raise DataError(f"{deb}: can't be unpacked ({error}); delete it and run again") from error
    if process.returncode:
        raise DataError(f"{deb}: dpkg-deb failed; delete the file and run again")
    return found


def open_member(member: str, unpacked: dict[str, Path], folder: Path) -> Path:
    """The file of a listed member, taken out of its zip where it lies in one.

    Raises:
        DataError: it is not there.
    """
    outer, _, inner = member.partition("!")
    if outer not in unpacked:
        raise DataError(f"{outer}: not in the package, or no plain file")
    if not inner:
        return unpacked[outer]
    path = folder / f"member{Path(inner).suffix}"
    try:
        with zipfile.ZipFile(unpacked[outer]) as archive, archive.open(inner) as data, path.open("wb") as file:
            shutil.copyfileobj(data, file)
    except (KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{member}: can't be taken out of the archive ({error})") from error
    return path


def check_md5(path: Path, expected: str) -> None:
    """Raise DataError where the file is not the one listed."""
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "md5").hexdigest()
    if actual != expected:
        raise DataError(f"md5 is {actual}, the list says {expected}")
