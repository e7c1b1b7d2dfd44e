"""What an audio file says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class AudioInfo:
    """The format, size and tags of an audio file.

    Attributes:
        path: The file.
        format: Container, for example ``WAV``, ``FLAC``, ``OGG``, ``MP3``, ``MOV``.
        subtype: Encoding of the samples, for example ``PCM_16``, ``VORBIS``, ``AAC``.
        sample_rate: Samples a second, Hz.
        channels: Number of audio channels.
        n_samples: Samples per channel by the file's header; 0 where the header does not say.
        duration: Seconds by the file's header; 0.0 where the header does not say.
        tags: Text tags such as ``title`` and ``artist``, with lower-case names.

    Example:
        >>> import celesta
        >>> about = celesta.info("music/a.ogg")
        >>> about.format, about.subtype, about.n_samples
        ('OGG', 'VORBIS', 132300)
    """

    path: Path
    format: str
    subtype: str
    sample_rate: int
    channels: int
    n_samples: int
    duration: float
    tags: dict[str, str]
