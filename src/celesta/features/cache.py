"""Features on disk: one .safetensors file for each audio content, feature, weights, version and precision."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import platformdirs
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from celesta._files import atomic, disk_errors, printable
from celesta.errors import AudioError, UsageError

VARIABLE = "CELESTA_CACHE"
"""Environment variable that names another folder for everything that is cached."""
_ARRAY = "vector"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Key:
    """What a cached feature depends on.

    Attributes:
        content: SHA-256 of the audio file's bytes.
        feature: name, such as ``handcrafted`` or ``latent:cel-2``.
        weights: SHA-256 of the weights that computed it, "" where there are none.
        version: of the code that computed it.
        precision: of the network that computed it.
    """

    content: str
    feature: str
    weights: str = ""
    version: str = ""
    precision: str = "float32"


class FeatureCache:
    """A folder of features. Entries appear whole or not at all; damaged ones count as absent.

    Safe for several threads and processes on one folder: the last one to write an entry wins, with equal content.

    Args:
        folder: created if it is missing; None for :func:`cache_folder`.

    Raises:
        UsageError: the folder cannot be created.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = cache_folder() if folder is None else Path(folder)
        self._hashes_file = self.folder / "hashes.jsonl"
        self._lock = Lock()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{printable(self.folder)}: no folder for cached features ({error.strerror}); "
                f"name another, by the option --cache or the variable {VARIABLE}"
            ) from None
        self._hashes = self._read_hashes()

    def content(self, path: str | Path) -> str:
        """Return the SHA-256 of a file's bytes, remembered by its path, size and time of change.

        Raises:
            AudioError: the file cannot be read.
        """
        try:
            absolute = os.path.abspath(path)
            facts = os.stat(absolute)
            known = (absolute, facts.st_size, facts.st_mtime_ns)
            if known not in self._hashes:
                digest = content_hash(path)
                with self._lock:
                    self._hashes[known] = digest
                    with open(self._hashes_file, "a", encoding="utf-8") as file:
                        file.write(json.dumps([*known, digest]) + "\n")
            return self._hashes[known]
        except OSError as error:
            raise AudioError(f"{printable(path)}: cannot be read or cached ({error.strerror})") from None

    def get(self, key: Key) -> dict[str, np.ndarray] | None:
        """Return the arrays of an entry in the order they were put, or None where there is none or it is damaged."""
        try:
            with safe_open(self.path(key), "np") as opened:
                facts = opened.metadata() or {}
                arrays = {name: opened.get_tensor(name) for name in json.loads(facts["names"])}
        except (SafetensorError, OSError, KeyError, ValueError, TypeError):
            return None
        if facts.get("key") != _json(key) or facts.get("sha256") != _digest(arrays):
            return None
        return arrays

    def remarks(self, key: Key) -> list[str]:
        """Return the warnings with which an entry was put; none where there is no entry."""
        try:
            with safe_open(self.path(key), "np") as opened:
                found = json.loads((opened.metadata() or {}).get("remarks", "[]"))
        except (SafetensorError, OSError, ValueError):
            return []
        return [str(text) for text in found] if isinstance(found, list) else []

    def put(self, key: Key, arrays: np.ndarray | Mapping[str, np.ndarray], remarks: Sequence[str] = ()) -> None:
        """Write an entry: a vector, or arrays by name, as float32; and the warnings that came with it.

        Raises:
            UsageError: it cannot be written.
        """
        named = {_ARRAY: arrays} if isinstance(arrays, np.ndarray) else arrays
        kept = {name: np.ascontiguousarray(array, np.float32) for name, array in named.items()}
        facts = {"key": _json(key), "names": json.dumps(list(kept)), "sha256": _digest(kept)}
        facts |= {"remarks": json.dumps(list(remarks))} if remarks else {}
        path = self.path(key)
        with disk_errors(path, UsageError):
            path.parent.mkdir(exist_ok=True)
        with atomic(path, UsageError) as temporary:
            temporary.write_bytes(safetensors.numpy.save(kept, facts))

    def path(self, key: Key) -> Path:
        """Return the file of an entry."""
        made_by = hashlib.sha256(_json(key).encode()).hexdigest()
        return self.folder / key.content[:2] / f"{key.content[:16]}-{made_by[:32]}.safetensors"

    def _read_hashes(self) -> dict[tuple[str, int, int], str]:
        hashes: dict[tuple[str, int, int], str] = {}
        try:
            lines = self._hashes_file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return hashes
        for line in lines:
            try:
                path, size, changed, digest = json.loads(line)
                int(digest, 16)
            except (ValueError, TypeError):
                continue  # a line cut short; its file is hashed anew
            if len(digest) == 64:
                hashes[str(path), int(size), int(changed)] = digest
        return hashes


def cache_folder() -> Path:
    """Return the folder of cached features: in ``$CELESTA_CACHE``, or else in the user's cache folder."""
    named = os.environ.get(VARIABLE)
    return (Path(named) if named else platformdirs.user_cache_path("celesta", appauthor=False)) / "features"


def content_hash(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, in flat memory."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _json(key: Key) -> str:
    return json.dumps(asdict(key), sort_keys=True)


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
