"""Code songs to a bitrate, a quality or fixed sizes, for models that can be coded.

One quantiser step serves the whole song, which is the best use of its bits for the weighted squared error; a bitrate
is met by a search for that step, first on windows spread over the song.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from celesta.codec import windowing
from celesta.codec.network import HALF_POWER, Analysis, ChannelAnalysis, WindowNetwork
from celesta.codec.replay import Replay
from celesta.codec.source import AudioLike, SongSource, song_metadata
from celesta.entropy import window as bits
from celesta.entropy.table_file import Tables
from celesta.entropy.window import NO_DETAIL, Numbers, Settings
from celesta.errors import UsageError
from celesta.latents.coded import WrittenFile
from celesta.latents.coded_song import Progress, SongFile, ahead, ignore_progress
from celesta.latents.programme_loudness import programme_loudness
from celesta.latents.rate_control import base_channels, first_step, quality_step, step_of_count
from celesta.latents.rate_control import settings as chosen_settings
from celesta.latents.tags import limited_tags
from celesta.latents.truncation import SAMPLED_WINDOWS, truncate

if TYPE_CHECKING:
    from celesta.codec.codec import Codec

__all__ = ["Target", "encode_file", "encode_song", "truncate_file"]

truncate_file = truncate  # the former name
_COMPARED = 4  # windows on which left and right are compared with mid and side
_SPARSE = 29  # every 29th coefficient stands for all where only their distribution matters


@dataclass(frozen=True)
class Target:
    """The size of a coded song: one of kbps, quality and detail, or none of them for the base alone.

    Attributes:
        kbps: bitrate of the whole file over the song, header included, 0.5 to 2000 kbit/s.
        quality: 0 to 10: constant quality relative to the loudness of the song.
        channels: base channels; None to choose by the bitrate.
        detail: coefficients per frame on average over the song, the most important ones.
        settings: power of the envelope and softening of the fill; None to choose them by the bitrate.

    Raises:
        UsageError: a number is out of range, or several sizes are given.

    Example:
        >>> Target(kbps=12).given, Target().given
        (True, False)
    """

    kbps: float | None = None
    quality: float | None = None
    channels: int | None = None
    detail: float | None = None
    settings: Settings | None = None

    def __post_init__(self) -> None:
        for name in ("kbps", "quality", "channels", "detail"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float | np.number)):
                raise UsageError(f"{name} must be a number, got {value!r}")
        if sum(one is not None for one in (self.kbps, self.quality, self.detail)) > 1:
            raise UsageError("give one of kbps, quality and detail, not several")
        if self.detail is not None and not 0 <= self.detail <= 1_024:
            raise UsageError(f"detail must be within 0..1024 coefficients per frame, got {self.detail:g}")
        if self.kbps is not None and not 0.5 <= self.kbps <= 2_000:
            raise UsageError(f"kbps must be within 0.5..2000, got {self.kbps:g}")
        if self.quality is not None and not 0 <= self.quality <= 10:
            raise UsageError(f"quality must be within 0..10, got {self.quality:g}")
        if self.channels is not None and not (self.channels >= 1 and int(self.channels) == self.channels):
            raise UsageError(f"channels must be an integer from 1 on, got {self.channels}")

    @property
    def given(self) -> bool:
        """Whether any size is given."""
        return any(one is not None for one in (self.kbps, self.quality, self.channels, self.detail))

    @property
    def base_alone(self) -> bool:
        """Whether no detail is wanted."""
        return self.kbps is None and self.quality is None and not self.detail


def encode_file(
    codec: Codec,
    source: AudioLike,
    target: str | Path,
    wanted: Target,
    *,
    mono: bool = False,
    progress: Progress | None = None,
) -> WrittenFile:
    """Encode a song to a coded .cel file: the former way to write :meth:`celesta.codec.Codec.encode_file`."""
    codec.network.coding_model()  # refuse before reading
    with SongSource(source, mono=mono) as song:
        return encode_song(codec, song, target, wanted, progress=progress)


def encode_song(
    codec: Codec,
    song: SongSource,
    target: str | Path,
    wanted: Target,
    *,
    tags: Mapping[str, str] | None = None,
    check: Callable[[Path], None] | None = None,
    progress: Progress | None = None,
) -> WrittenFile:
    """Encode a song to a coded .cel file, holding a window at a time.

    The song is read once, and its windows are analysed once: what is needed again waits in temporary files.

    Args:
        codec: of a model that codes to a bitrate.
        song: the opened source.
        target: the .cel file.
        wanted: bitrate or quality.
        tags: to write, in a bounded share of the bitrate; None for the source's.
        check: called with the finished file before it gets its name, and may raise.
        progress: called with the seconds of audio done and in all.

    Returns:
        The file with its size. Where the bitrate cannot be met the smallest file is written, with a
        :class:`~celesta.errors.LatentWarning`.

    Raises:
        ModelError: the model cannot be coded.
        AudioError, LatentError: reading or writing failed.
    """
    model = codec.network.coding_model()
    tables = codec.network.tables
    progress = progress or ignore_progress
    with (
        Replay(lambda: ([block] for block in song.blocks(model.sample_rate))) as blocks,
        Survey(codec.network, song, blocks, tables, progress) as survey,
    ):
        return _encode(codec, song, survey, Path(target), wanted, tags, check, progress)


def _encode(
    codec: Codec,
    song: SongSource,
    survey: Survey,
    target: Path,
    wanted: Target,
    tags: Mapping[str, str] | None,
    check: Callable[[Path], None] | None,
    progress: Progress,
) -> WrittenFile:
    """Choose a step for a song and write its windows, with fewer base channels where they alone are too large."""
    model, tables = codec.network.coding_model(), codec.network.tables
    about = song_metadata(codec, song)
    duration = song.n_samples / song.sample_rate
    about["tags"] = limited_tags(song.tags if tags is None else tags, duration, wanted.kbps, target)
    rest = _later(progress, survey.share)
    file = SongFile(target, about, survey.mid_side, song.n_samples, rest, check)
    own = wanted.settings or chosen_settings(tables, wanted.kbps, song.channels)
    channels = int(min(model.latent_dim, wanted.channels or _channels(wanted, model, tables, song.channels)))
    while True:

        def numbers(step: int, channels: int = channels) -> Iterator[list[Numbers]]:
            for arrays in survey.windows:
                yield [_quantised(one, channels, own.at(step), tables) for one in _analysis(arrays)]

        step = survey.first_step(wanted, channels, own, file, tables, model.sample_rate)
        last = channels == 1 or wanted.channels is not None
        made = file.write(numbers, channels, wanted.kbps, step, tables, last=last)
        if made.meets_target or last:
            return made
        channels //= 2  # the base alone costs too much


def _arrays(window: Analysis) -> list[np.ndarray]:
    return [array for channel in window for array in channel]


def _analysis(arrays: list[np.ndarray]) -> Analysis:
    return [ChannelAnalysis(*one) for one in zip(arrays[::3], arrays[1::3], arrays[2::3], strict=True)]


class Survey:
    """What is known of a song before it is coded. Used with ``with``: analyses wait in temporary files.

    Attributes:
        stride: one window in so many is in the sample; 1 where they all are.
        mid_side: whether two channels take fewer bits as mid and side.
        sample: analyses of windows spread over the song.
        windows: analyses of all windows.
    """

    def __init__(
        self, network: WindowNetwork, song: SongSource, blocks: Replay, tables: Tables, progress: Progress
    ) -> None:
        progress(0.0, song.seconds)
        self._network, self._blocks = network, blocks
        count = sum(1 for _ in self._cut(1))
        self.stride = 1
        while -(-count // self.stride) > SAMPLED_WINDOWS:
            self.stride *= 2
        self._count, seconds = -(-count // self.stride), song.n_samples / song.sample_rate
        compared = self._cut(self.stride * -(-self._count // _COMPARED))
        self.mid_side = song.channels == 2 and _cheaper_as_mid_side(network, compared, tables)
        self.sample = Replay(lambda: self._analysed(self.stride))
        self.windows = self.sample if self.stride == 1 else Replay(lambda: self._analysed(1))
        # Analysed and stored here, read when the step is chosen; by a second thread, as those that are written later:
        # the system's allocator gives a thread only memory that threads of its kind have freed.
        for i, _ in enumerate(ahead(iter(self.sample)), start=1):
            progress(self.share * seconds * i / self._count, seconds)

    def _cut(self, every: int) -> Iterator[windowing.Window]:
        """Cut the song into windows, and give every so many of them."""
        model = self._network.coding_model()
        parts = (block for (block,) in self._blocks)
        return itertools.islice(windowing.cut(parts, model.window, model.context, model.overlap), 0, None, every)

    def _analysed(self, every: int) -> Iterator[list[np.ndarray]]:
        yield from map(_arrays, self._network.analyse(self._cut(every), self.mid_side))

    def close(self) -> None:
        """Remove the temporary files."""
        self.sample.close()
        self.windows.close()

    def __enter__(self) -> Survey:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def share(self) -> float:
        """Share of the work that a survey is, about."""
        return 0.5 if self.stride == 1 else 0.1

    def first_step(
        self, wanted: Target, channels: int, own: Settings, file: SongFile, tables: Tables, sample_rate: int
    ) -> int:
        """Find the step to begin with: by the quality, by the number of coefficients, or by the bitrate."""
        if wanted.quality is not None:
            windows = ([one.c for one in _analysis(arrays)] for arrays in self.sample)
            return quality_step(wanted.quality, programme_loudness(windows, sample_rate), own.power)
        if wanted.base_alone:
            return NO_DETAIL
        each = [one for arrays in self.sample for one in _analysis(arrays)]
        known = [(one.c, one.envelope) for one in each]
        if wanted.kbps is None:
            return step_of_count(known, wanted.detail or 0.0, own.power, tables)
        step = first_step(known, wanted.kbps, channels, len(each) // self._count, own.power, tables)

        def quantised(one: ChannelAnalysis, step: int) -> Numbers:
            return _quantised(one, channels, own.at(step), tables)

        return file.estimate([partial(quantised, one) for one in each], self._count, wanted.kbps, step, tables)


def _quantised(one: ChannelAnalysis, channels: int, own: Settings, tables: Tables) -> Numbers:
    return bits.quantise(one.base[:channels], one.c, own, tables, one.envelope)


def _later(progress: Progress, share: float) -> Progress:
    """Return a progress of the rest of the work, of which a share is done."""
    return lambda done, total: progress(share * (total or 0) + (1 - share) * done, total)


def _cheaper_as_mid_side(network: WindowNetwork, some: Iterable[windowing.Window], tables: Tables) -> bool:
    """Whether two channels take fewer bits as mid and side."""
    pairs = np.concatenate([network.coefficients(window.samples)[:, :, ::_SPARSE].copy() for window in some], axis=1)
    spread = tables.spread[::_SPARSE]
    turned = np.stack([pairs[0] + pairs[1], pairs[0] - pairs[1]]) * HALF_POWER
    plain, other = (np.abs(c / spread).ravel() for c in (pairs, turned))
    unit = max(float(np.quantile(plain, 0.98)), 1e-9)
    return bool(np.log2(1 + other / unit).sum() < np.log2(1 + plain / unit).sum())


def _channels(wanted: Target, model: Any, tables: Tables, audio_channels: int) -> int:
    """Return the base channels for a target: all where there is nothing else."""
    return int(model.latent_dim) if wanted.base_alone else base_channels(tables, wanted.kbps, audio_channels)
