"""Analyses of the songs and stretches that a library is asked with, saved while their files stay as they are."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Collection
from pathlib import Path

from celesta.library.analysis import SongRecord, analyser
from celesta.library.block_table import TAGGED

_MOST = 64  # analyses that are saved: some 100 KB each for whole songs, 3 KB for stretches


class AskedSongs:
    """Analyse files to ask a library with; the same question is answered from what was saved.

    A file is the same if its path, size, modification time and inode are.

    Args:
        licence: of the library.
    """

    def __init__(self, licence: str) -> None:
        self._licence = licence
        self._known: OrderedDict[tuple[object, ...], SongRecord] = OrderedDict()

    def record(self, path: Path, start: float, stop: float | None, blocks: Collection[str]) -> SongRecord:
        """Return the analysis of a file, or of a stretch of it; see :meth:`celesta.library.analysis.Analyser.analyse`.

        Raises:
            AudioError: it cannot be read.
            CelestaError: there is nothing to analyse.
        """
        try:
            found = os.stat(path)
        except OSError:
            return self._analysed(path, start, stop, blocks)  # which says what is wrong
        tagged = not TAGGED.isdisjoint(blocks)
        key = (os.path.abspath(path), found.st_size, found.st_mtime_ns, found.st_ino, start, stop, tagged)
        if key not in self._known:
            self._known[key] = self._analysed(path, start, stop, blocks)
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]

    def _analysed(self, path: Path, start: float, stop: float | None, blocks: Collection[str]) -> SongRecord:
        return analyser(os.cpu_count() or 1, self._licence).analyse(path, start, stop, blocks)
