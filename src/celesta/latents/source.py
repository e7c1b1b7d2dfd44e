"""The file that a latent was made from, as the header of the .cel file records it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from celesta._files import printable

_LONGEST_NAME = 255


@dataclass(frozen=True)
class SourceFile:
    """Name and size of an audio file, enough to recognise it in its folder.

    Attributes:
        name: file name without its folder, printable, at most 255 characters.
        n_bytes: size of the file.

    Example:
        >>> source = SourceFile.of(Path("song.mp3"))
        >>> source.name, source.matches(Path("song.mp3")), source.matches(Path("music/a.ogg"))
        ('song.mp3', True, False)
    """

    name: str
    n_bytes: int

    def __post_init__(self) -> None:
        if not self.name or len(self.name) > _LONGEST_NAME or not self.name.isprintable() or self.n_bytes < 0:
            raise ValueError("the name of its source does not make sense")

    @classmethod
    def of(cls, path: str | Path) -> SourceFile:
        """Describe an audio file.

        Raises:
            OSError: the file does not exist.
        """
        return cls(printable(Path(path).name)[:_LONGEST_NAME], os.stat(path).st_size)

    @classmethod
    def parse(cls, text: str) -> SourceFile:
        """Read what :meth:`__str__` gave.

        Raises:
            ValueError: the text is not of that form.
        """
        size, _, name = text.partition(" ")
        if not size.isascii() or not size.isdigit() or len(size) > 16:
            raise ValueError("the size of its source is not a number")
        return cls(name, int(size))

    def matches(self, path: str | Path) -> bool:
        """Whether a file has this name and size; a missing one has not."""
        try:
            return self == SourceFile.of(path)
        except OSError:
            return False

    def __str__(self) -> str:
        return f"{self.n_bytes} {self.name}"
