"""A model with its weights on the fixed window grid: whole songs to latents and back, in memory or file to file."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from celesta.audio import Audio
from celesta.codec import bitrate, decoding, encoding
from celesta.codec.decoding import Stretch, WindowSource
from celesta.codec.network import WindowNetwork
from celesta.codec.pretrained import Pretrained
from celesta.codec.source import AudioLike, SongSource, song_metadata
from celesta.errors import UsageError
from celesta.latents import Latent, Progress, WrittenFile
from celesta.latents.saving import Coding

if TYPE_CHECKING:
    from celesta.models.base import Model
    from celesta.models.runtime import Runtime


class Codec(Pretrained):
    """Encode and decode songs of any length, sample rate and number of channels with one model.

    On the CPU every window goes through the model alone and channel by channel, so that the same audio gives the same
    latent whatever the file's neighbours, the order or the number of workers. GPUs take several windows at once.

    Made by :meth:`from_pretrained`, which is :func:`celesta.load`.

    Attributes:
        name: what was loaded.
        model: sizes and capabilities of the model; with the backend ``torch`` the model itself, in inference mode.
        weights: SHA-256 of the weights' file, "" for a model that needs none.
        facts: what the weights' file says of its training.

    Example:
        >>> import numpy as np
        >>> codec = Codec.from_pretrained("linear-64")
        >>> z = codec.encode(np.zeros(22_050, np.float32), sample_rate=22_050)
        >>> codec.decode(z).samples.shape
        (1, 22050)
    """

    def __init__(
        self,
        name: str,
        model: Model | Runtime,
        weights: str = "",
        facts: dict[str, object] | None = None,
        precision: str = "float32",
        device: str = "auto",
    ) -> None:
        self.name = name
        self.weights = weights
        self.facts = facts or {}
        self.network = WindowNetwork(name, model, device, precision)
        self.model = self.network.model

    def __repr__(self) -> str:
        return f"Codec({self.name}, {self.model.sample_rate} Hz, {self.network.device})"

    # ---- in memory

    def encode(
        self,
        source: AudioLike,
        sample_rate: int | None = None,
        *,
        mono: bool = False,
        progress: Progress | None = None,
    ) -> Latent:
        """Encode an audio file, or audio in memory.

        Args:
            source: path, :class:`~celesta.audio.Audio`, or array or tensor of shape ``(n,)``, ``(channels, n)`` or
                ``(1, channels, n)``, full scale at +-1.
            sample_rate: Hz, of an array or tensor.
            mono: average the channels first. Otherwise each channel has a latent of its own.
            progress: called with the seconds of audio done and in all.

        Raises:
            AudioError: the file cannot be read, or samples are not finite.
            UsageError: the source is of another type or shape, or an array has no sample_rate.

        Example:
            >>> import celesta
            >>> celesta.load("linear-16").encode("song.mp3", mono=True)
            Latent(linear-16, 3.00 s, 1 channel, 1 window of 16 x 215)
        """
        with SongSource(source, sample_rate, mono) as song:
            windows = list(encoding.encode_windows(self, song, progress))
            n_samples, about = song.n_samples, song_metadata(self, song)
        columns = zip(*windows, strict=True)
        base, places, values, gain, envelope = (None if part[0] is None else np.stack(part) for part in columns)
        arrays: dict[str, Any] = {"base": base, "places": places, "values": values, "gain": gain, "envelope": envelope}
        z = Latent(**arrays, **about, n_samples=n_samples)
        if self.network.codes_to_bitrate:
            origin = encoding.origin(self, source, sample_rate, mono, z)
            return dataclasses.replace(z, coding=Coding(origin=origin))
        return z

    def decode(
        self, latent: Latent, sample_rate: int | None = None, *, start: float | None = None, stop: float | None = None
    ) -> Audio:
        """Decode a latent to the source's sample rate and its exact number of samples.

        Args:
            latent: of this codec.
            sample_rate: Hz of the result; None for the source's.
            start: seconds to begin at; only the windows that the stretch needs are decoded.
            stop: seconds to end at; None for the end of the song.

        Raises:
            LatentError: the latent is of another model or of other weights.
            UsageError: the latent is not one, or the seconds are out of range.

        Example:
            >>> import celesta
            >>> codec = celesta.load("linear-16")
            >>> z = codec.encode("song.mp3")
            >>> codec.decode(z)
            Audio(2 channels, 44100 Hz, 3.000 s)
            >>> codec.decode(z, sample_rate=22_050, start=1.0, stop=1.5)
            Audio(2 channels, 22050 Hz, 0.500 s)
        """
        if not isinstance(latent, Latent):
            hint = "; open the file: Latent.load(path)" if isinstance(latent, str | Path) else ""
            raise UsageError(f"decode takes a Latent, got {type(latent).__name__}{hint}")
        self.check(latent.model, latent.weights, latent.latent_dim, latent.detail_size)
        return self._decoded(WindowSource.of_latent(latent), sample_rate, start, stop)

    def compress(self, source: AudioLike, **options: Any) -> bytes:
        """Encode a song to the bytes of a .cel file.

        Args:
            source: as for :meth:`encode`.
            **options: of :meth:`encode_file`: ``kbps``, ``quality``, ``bits``, ``sample_rate``, ...

        Example:
            >>> import celesta
            >>> codec = celesta.load("linear-16")
            >>> data = codec.compress("song.mp3", bits=8)
            >>> codec.decompress(data)
            Audio(2 channels, 44100 Hz, 3.000 s)
        """
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "memory.cel"
            self.encode_file(source, target, **options)
            return target.read_bytes()

    def decompress(
        self, data: bytes, sample_rate: int | None = None, *, start: float | None = None, stop: float | None = None
    ) -> Audio:
        """Decode the bytes of a .cel file.

        Args:
            data: what :meth:`compress` returned, or the content of a .cel file.
            sample_rate: Hz of the result; None for the source's.
            start: seconds to begin at; only the windows that the stretch needs are decoded.
            stop: seconds to end at; None for the end of the song.

        Raises:
            LatentError: the bytes are damaged, or of another model.
            UsageError: data is not bytes.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise UsageError(f"decompress takes the bytes of a .cel file, got {type(data).__name__}")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "memory.cel"
            file.write_bytes(data)
            with decoding.open_latent(self, file, whole=start is None and stop is None) as reader:
                return self._decoded(WindowSource.of_reader(reader), sample_rate, start, stop)

    # ---- file to file, in flat memory

    def encode_file(
        self,
        source: AudioLike,
        target: str | Path,
        *,
        kbps: float | None = None,
        quality: float | None = None,
        channels: int | None = None,
        detail: float | None = None,
        dtype: str | None = None,
        bits: int | None = None,
        sample_rate: int | None = None,
        mono: bool = False,
        verify: bool = False,
        tags: bool | Mapping[str, str] = True,
        progress: Progress | None = None,
    ) -> WrittenFile:
        """Encode a song to a .cel file, holding one window at a time.

        Models that code to a bitrate do so, at quality 5 where nothing else is asked for; other models write float16.

        Args:
            source: path of an audio file, or audio in memory as for :meth:`encode`.
            target: the .cel file; its name appears only when it is complete.
            kbps: bitrate of the whole file, kbit/s.
            quality: 0 to 10: constant quality relative to the loudness of the song.
            channels: base channels.
            detail: coefficients per frame on average.
            dtype: ``float16`` or ``float32``: not coded.
            bits: 1 to 16: not coded, quantised to so many bits per number.
            sample_rate: Hz, of an array or tensor.
            mono: average the channels first.
            verify: decode the whole file before its name appears.
            tags: copy the source's tags, or the tags to write. In coded files they take a bounded share of the
                bitrate; what does not fit is shortened or left out, and a
                :class:`~celesta.errors.LatentWarning` says so.
            progress: called with the seconds of audio done and in all.

        Returns:
            The file with its size and bitrate. Where the bitrate cannot be met the smallest file is written, with a
            :class:`~celesta.errors.LatentWarning`.

        Raises:
            AudioError, LatentError: reading or writing failed; nothing is left under the target's name.
            ModelError: the model does not code to a bitrate.
            UsageError: options contradict each other or are out of range.

        Example:
            >>> import celesta
            >>> made = celesta.load("linear-16").encode_file("song.mp3", "new.cel", bits=8, verify=True)
            >>> made.path, made.seconds, made.n_bytes < 10_000
            (PosixPath('new.cel'), 3.0, True)
        """
        coded = encoding.coded_target(self, bitrate.Target(kbps, quality, channels, detail), dtype, bits)
        return encoding.encode_song(
            self,
            source,
            Path(target),
            coded,
            dtype=dtype,
            bits=bits,
            sample_rate=sample_rate,
            mono=mono,
            tags=tags,
            check=self.verify if verify else None,
            progress=progress,
        )

    def decode_file(
        self,
        source: str | Path,
        target: str | Path,
        *,
        sample_rate: int | None = None,
        start: float | None = None,
        stop: float | None = None,
        salvage: bool = False,
        progress: Progress | None = None,
    ) -> list[tuple[float, float]]:
        """Decode a .cel file to an audio file, holding one window at a time.

        Of a whole song the payload is verified first; of a stretch only the windows that it needs are read.

        Args:
            source: the .cel file.
            target: audio file in the format of its suffix.
            sample_rate: Hz of the result; None for the source's.
            start: seconds to begin at; only the windows that the stretch needs are decoded.
            stop: seconds to end at.
            salvage: decode what is left of a file that is damaged or cut short; windows that are lost are silent.
            progress: called with the seconds of audio done and in all.

        Returns:
            The stretches that were lost, begin and end in seconds, which a :class:`~celesta.errors.LatentWarning` also
            names. Without ``salvage`` there are none.

        Raises:
            LatentError, AudioError: the file is damaged, of other weights, or the audio cannot be written.
            UsageError: the seconds are out of range.

        Example:
            >>> import celesta
            >>> celesta.load("linear-16").decode_file("song.cel", "back.flac", start=1.0)
            []
            >>> celesta.info("back.flac").duration
            2.0
        """
        return decoding.decode_song(self, source, target, sample_rate, start, stop, salvage=salvage, progress=progress)

    def verify(self, path: str | Path, progress: Progress | None = None) -> None:
        """Prove that a .cel file is whole and decodes to finite audio; holds one window at a time.

        Args:
            path: the .cel file.
            progress: called with the seconds of audio done and in all.

        Raises:
            LatentError: it is damaged, is of another codec, or decodes to values that are not finite.

        Example:
            >>> import celesta
            >>> celesta.load("linear-16").verify("song.cel")
        """
        decoding.verify_song(self, path, progress)

    def check(self, model: str, weights: str, latent_dim: int, detail_size: int) -> None:
        """Check that a latent is this codec's.

        Args:
            model: name of the model that made it.
            weights: SHA-256 of the weights that made it.
            latent_dim: its dense channels per frame.
            detail_size: its sparse coefficients per frame.

        Raises:
            LatentError: it is of another model, other weights, or truncated where this model cannot decode that.
        """
        decoding.check_latent(self.network, self.name, self.weights, (model, weights, latent_dim, detail_size))

    def _decoded(
        self, windows: WindowSource, sample_rate: int | None, start: float | None, stop: float | None
    ) -> Audio:
        wanted = Stretch.of(windows, sample_rate, start, stop)
        parts = list(decoding.decode_blocks(self.network, windows, wanted))
        return Audio(np.concatenate(parts, axis=1), wanted.sample_rate)
