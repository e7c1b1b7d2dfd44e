"""Write audio files as a whole or not at all."""

from __future__ import annotations

import contextlib
import io
import math
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import soundfile

from celesta._files import atomic, disk_errors, printable
from celesta.audio._headers import AudioWarning
from celesta.audio._layout import mask_of, to_vorbis
from celesta.audio._soundfile import reason
from celesta.audio.resample import BLOCK, LOUDEST, MAX_CHANNELS, Resampler, check_rate
from celesta.errors import AudioError, warn

# suffix -> container, default subtype, the other subtypes that `subtype=` may pick
_FORMATS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    ".wav": ("WAV", "PCM_24", ("PCM_16", "PCM_32", "FLOAT")),
    ".flac": ("FLAC", "PCM_24", ("PCM_16",)),
    ".ogg": ("OGG", "VORBIS", ()),
    ".opus": ("OGG", "OPUS", ()),
    ".mp3": ("MP3", "MPEG_LAYER_III", ()),
}
_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_BITS = {"PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
_BYTES = {"PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4}
_WAV_LIMIT = 2**32 - 65_536  # RIFF counts bytes in 32 bits; some are the header's


class _Sink(io.RawIOBase):
    """The file that libsndfile writes to; it remembers the system's error, which libsndfile does not pass on."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "xb+", buffering=0)  # noqa: SIM115  (closed by close())
        self.error: OSError | None = None

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer) or 0

    def write(self, data: Any) -> int:
        view, done = memoryview(data), 0
        while done < len(view) and self.error is None:
            try:
                done += self._file.write(view[done:]) or 0
            except OSError as error:
                self.error = error
        return done

    def close(self) -> None:
        self._file.close()
        super().close()


class _Abandoned(Exception):
    """Raised within `atomic` to leave nothing behind, whatever the caller's exception was."""


class Writer:
    """Write an audio file block by block; its name appears only when the ``with`` block ends without an exception.

    Integer samples that were read from a file are written back as the same integers. Opus and MP3 know few sample
    rates: others are resampled to the next higher one that they know (48 kHz at most). Samples beyond full scale are
    clipped, except in FLOAT, with one `AudioWarning` that says how many, and by how many dB the level is too high.
    Channels are given in WAV's order (5.1: FL FR FC LFE BL BR) and stored in the order of the format.

    Args:
        path: The file; its suffix, in small or capital letters, names the format: .wav .flac .ogg (Vorbis) .opus .mp3.
        sample_rate: Of the samples, Hz.
        channels: 1 to 8; MP3 takes 1 or 2.
        subtype: For .wav PCM_24 (the default), PCM_16, PCM_32 or FLOAT; for .flac PCM_24 (the default) or PCM_16.

    Attributes:
        path: The file.
        sample_rate: Of the file, Hz.
        channels: Of the file.
        subtype: Encoding of the samples.

    Raises:
        AudioError: The suffix, sample rate, number of channels or subtype is not supported; samples are not finite;
            nothing was written; the file cannot be written there.

    Example:
        >>> import celesta
        >>> with Writer("copy.flac", 22_050, 2) as writer:
        ...     for block in celesta.stream("song.mp3", sample_rate=22_050):
        ...         writer.write(block)
        >>> celesta.info("copy.flac").n_samples == 3 * 22_050
        True
    """

    def __init__(self, path: str | Path, sample_rate: int, channels: int, subtype: str | None = None) -> None:
        self.path = Path(path)
        suffix = self.path.suffix.lower()
        if suffix not in _FORMATS:
            what = f"'{printable(self.path.suffix)}' files cannot be" if suffix else "a file without a suffix cannot be"
            raise AudioError(f"{self._name}: {what} written; use one of {' '.join(_FORMATS)}")
        self._format, default, others = _FORMATS[suffix]
        self.subtype = subtype or default
        if self.subtype not in (default, *others):
            known = ", ".join((default, *others))
            raise AudioError(f"{self._name}: {self.subtype} is no subtype of {suffix}; use {known}")
        most = 2 if suffix == ".mp3" else MAX_CHANNELS
        if not 1 <= channels <= most:
            raise AudioError(f"{self._name}: {channels} channels; a {suffix} file takes 1 to {most}")
        if self._format in ("WAV", "WAVEX") and channels > 2:
            self._format = "WAVEX"  # says which speaker each channel is for
        check_rate(sample_rate, f"{self._name}: the sample rate")
        if suffix == ".flac" and sample_rate > 65_535 and sample_rate % 10:
            raise AudioError(
                f"{self._name}: a .flac file cannot hold {sample_rate} Hz; write .wav or a multiple of 10 Hz"
            )
        self.channels = channels
        rates = {"OPUS": _OPUS_RATES, "MPEG_LAYER_III": _MP3_RATES}.get(self.subtype, (sample_rate,))
        self.sample_rate = min((r for r in rates if r >= sample_rate), default=rates[-1])
        self._resampler = Resampler(sample_rate, self.sample_rate, channels)
        self._target = contextlib.ExitStack()  # holds `atomic`
        self._sink: _Sink | None = None
        self._file: soundfile.SoundFile | None = None
        self._held = np.zeros((channels, 0), dtype=np.float32)
        self._taken = 0
        self._written = 0
        self._clipped = 0
        self._peak = 0.0

    @property
    def _name(self) -> str:
        return printable(self.path)

    def __enter__(self) -> Writer:
        with disk_errors(self.path, AudioError), contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(os.stat(self.path).st_mode):  # a name that is too long is found out here, before the work
                raise AudioError(f"{self._name}: is a folder; name a file")
        with contextlib.ExitStack() as stack:
            temporary = stack.enter_context(atomic(self.path, AudioError))
            with disk_errors(self.path, AudioError):
                self._sink = _Sink(temporary)
            stack.callback(self._sink.close)
            try:
                self._file = soundfile.SoundFile(
                    self._sink,
                    "w",
                    samplerate=self.sample_rate,
                    channels=self.channels,
                    format=self._format,
                    subtype=self.subtype,
                )
            except (OSError, RuntimeError, ValueError) as error:
                raise self._refused(error) from None
            self._target = stack.pop_all()
        return self

    def _refused(self, error: BaseException) -> AudioError:
        """Say why the system or libsndfile did not write."""
        system = self._sink.error if self._sink else None
        words = (system.strerror or type(system).__name__) if system else reason(error)
        return AudioError(f"{self._name}: cannot be written ({words}); check the folder and the free space")

    def write(self, block: np.ndarray) -> None:
        """Append (channels, n) samples; float32 or float64, full scale at +-1."""
        if self._file is None:
            raise AudioError(f"{self._name}: use the Writer in a `with` block")
        block = np.asarray(block)
        if block.dtype.kind != "f":
            raise AudioError(f"{self._name}: samples of type {block.dtype}; give floats with full scale at +-1")
        if block.ndim != 2 or block.shape[0] != self.channels:
            raise AudioError(f"{self._name}: a block of shape {block.shape}, expected ({self.channels}, n)")
        for i in range(0, block.shape[1], BLOCK):
            with np.errstate(over="ignore"):  # what overflows is refused in the next line
                part = np.asarray(block[:, i : i + BLOCK], dtype=np.float32)
            fine = np.abs(part) <= LOUDEST  # False for NaN too
            if not fine.all():
                at = self._taken + int(np.argmin(fine.all(axis=0)))
                raise AudioError(f"{self._name}: sample {at} to be written is not finite, or far too loud for audio")
            self._taken += part.shape[1]
            self._put(self._resampler.push(part))

    def _put(self, part: np.ndarray, last: bool = False) -> None:
        """Store samples of the file's own rate in equal blocks: what Vorbis makes of them depends on the cuts."""
        self._written += part.shape[1]
        if self._format in ("WAV", "WAVEX") and self._written * self.channels * _BYTES[self.subtype] > _WAV_LIMIT:
            raise AudioError(f"{self._name}: a .wav file ends at 4 GiB; write .flac instead")
        held = np.concatenate([self._held, part], axis=1)
        full = held.shape[1] if last else held.shape[1] - held.shape[1] % BLOCK
        for i in range(0, full, BLOCK):  # never more at once: the Vorbis writer crashes on one large write
            self._store(held[:, i : min(i + BLOCK, full)])
        self._held = held[:, full:].copy()

    def _store(self, part: np.ndarray) -> None:
        assert self._file is not None
        if self.subtype != "FLOAT":
            size = np.abs(part)
            self._clipped += int(np.count_nonzero(size > 1.0))
            self._peak = max(self._peak, float(size.max(initial=0.0)))
            part = np.clip(part, -1.0, 1.0)
        if self._format == "OGG":
            part = to_vorbis(part)
        try:
            self._file.write(self._as_stored(part.T))
        except (OSError, RuntimeError, AssertionError) as error:  # soundfile asserts that all was written
            raise self._refused(error) from None

    def _as_stored(self, part: np.ndarray) -> np.ndarray:
        if self.subtype not in _BITS:
            return np.ascontiguousarray(part, dtype=np.float32)
        # libsndfile scales floats by 2**(bits-1) - 1 on the way in and by 2**(bits-1) on the way out; integers
        # of our own scaling make the round trip exact.
        bits = _BITS[self.subtype]
        top = 2 ** (bits - 1)
        whole = np.clip(np.rint(part.astype(np.float64) * top), -top, top - 1)
        return np.ascontiguousarray(whole.astype(np.int64) << (32 - bits)).astype(np.int32)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._abandon()
            return
        try:
            self._put(self._resampler.finish(), last=True)
            if self._written == 0:
                raise AudioError(f"{self._name}: there is not one sample to write")
            self._close()
        except BaseException:
            self._abandon()
            raise
        self._target.close()
        if self._clipped:
            excess = max(0.1, math.ceil(200 * math.log10(self._peak)) / 10)
            text = f"{self._clipped} samples beyond full scale were clipped; lower the level by {excess:.1f} dB"
            warn(AudioWarning(f"{self._name}: {text}"))

    def _abandon(self) -> None:
        """Close everything and leave nothing behind."""
        with contextlib.suppress(AudioError):
            self._close()
        with contextlib.suppress(_Abandoned), self._target:
            raise _Abandoned

    def _close(self) -> None:
        if self._file is None or self._sink is None:
            return
        file, self._file = self._file, None
        try:
            file.close()
        except (OSError, RuntimeError) as error:
            raise self._refused(error) from None
        if self._format == "WAVEX":  # libsndfile writes no mask, or one of other speakers
            self._sink.seek(40)
            self._sink.write(mask_of(self.channels).to_bytes(4, "little"))
        if self._sink.error is not None:
            raise self._refused(self._sink.error)
