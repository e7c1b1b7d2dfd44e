"""Features on disk: one .safetensors for each content of a file, kind of feature, weights and version."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from celesta.errors import AudioError, UsageError

_ARRAY = "vector"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Key:
    """What a cached feature depends on.

    Attributes:
        content: SHA-256 of the sound file's bytes.
        kind: of feature, such as ``handcrafted`` or ``latent:cel-2``.
        weights: SHA-256 of the weights that made it, "" where there are none.
        version: of the code that made it.
    """

    content: str
    kind: str
    weights: str = ""
    version: str = ""


class FeatureCache:
    """A folder of features. Entries appear whole or not at all; damaged ones count as absent.

    Safe for several threads and processes on one folder: who is last to write an entry wins, with equal content.

    Args:
        folder: made if it is missing.

    Raises:
        UsageError: the folder cannot be made.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._hashes_file = self.folder / "hashes.jsonl"
        self._lock = Lock()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{self.folder}: no folder for cached features ({error.strerror}); name another") from None
        self._hashes = self._read_hashes()

    def content(self, path: str | Path) -> str:
        """SHA-256 of a file's bytes, remembered by its path, size and time of change.

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
            raise AudioError(f"{path}: cannot be read or remembered ({error.strerror})") from None

    def get(self, key: Key) -> dict[str, np.ndarray] | None:
        """The arrays of an entry in the order they were put, or None where there is no sound entry."""
        try:
            with safe_open(self.path(key), "np") as opened:
                facts = opened.metadata() or {}
                arrays = {name: opened.get_tensor(name) for name in json.loads(facts["names"])}
        except (SafetensorError, OSError, KeyError, ValueError, TypeError):
            return None
        if facts.get("key") != _json(key) or facts.get("sha256") != _digest(arrays):
            return None
        return arrays

    def get_vector(self, key: Key) -> np.ndarray | None:
        """The entry that :meth:`put` got as one vector, or None."""
        arrays = self.get(key)
        return None if arrays is None else arrays.get(_ARRAY)

    def put(self, key: Key, arrays: np.ndarray | Mapping[str, np.ndarray]) -> None:
        """Write an entry: a vector, or arrays by name, as float32.

        Raises:
            UsageError: it cannot be written.
        """
        named = {_ARRAY: arrays} if isinstance(arrays, np.ndarray) else arrays
        kept = {name: np.ascontiguousarray(array, np.float32) for name, array in named.items()}
        facts = {"key": _json(key), "names": json.dumps(list(kept)), "sha256": _digest(kept)}
        path = self.path(key)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{id(kept)}")
        try:
            path.parent.mkdir(exist_ok=True)
            try:
                with open(temporary, "wb") as file:
                    file.write(safetensors.numpy.save(kept, facts))
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise UsageError(f"{path}: cannot be written ({error.strerror}); mend its folder or the disk") from None

    def path(self, key: Key) -> Path:
        """Where an entry lies."""
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


def content_hash(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in flat memory."""
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
