"""Sound files written whole or not at all: a temporary file beside the target, fsync, rename."""

from __future__ import annotations

import contextlib
import os
import secrets
import warnings
from pathlib import Path
from types import TracebackType

import numpy as np
import soundfile

from celesta.audio._headers import AudioWarning
from celesta.audio._soundfile import native_path
from celesta.audio.resample import BLOCK, LOUDEST, MAX_CHANNELS, Resampler, check_rate
from celesta.errors import AudioError

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


class Writer:
    """Write a sound file block by block; its name appears only when the `with` block ends without an exception.

    The suffix picks the format: .wav and .flac (24-bit unless `subtype` says otherwise: PCM_16, and for .wav PCM_32
    or FLOAT), .ogg (Vorbis), .opus, .mp3 (at most 2 channels). Integer samples read from a file are written back as
    the same integers. Opus and MP3 know few rates: other rates are resampled to the next higher one they know
    (48 kHz at most). Samples beyond full scale are clipped, except in FLOAT, with one `AudioWarning` with their number.

    Raises:
        AudioError: Suffix, rate, channels or subtype unsupported; samples not finite; nothing written; disk trouble.
    """

    def __init__(self, path: str | Path, sample_rate: int, channels: int, subtype: str | None = None) -> None:
        self.path = Path(path)
        suffix = self.path.suffix.lower()
        if suffix not in _FORMATS:
            raise AudioError(f"{self.path}: can't write '{suffix}' files; use one of {' '.join(_FORMATS)}")
        self._format, default, others = _FORMATS[suffix]
        self.subtype = subtype or default
        if self.subtype not in (default, *others):
            known = ", ".join((default, *others))
            raise AudioError(f"{self.path}: {self.subtype} is no subtype of {suffix}; use {known}")
        most = 2 if suffix == ".mp3" else MAX_CHANNELS
        if not 1 <= channels <= most:
            raise AudioError(f"{self.path}: {channels} channels; a {suffix} file takes 1 to {most}")
        check_rate(sample_rate, f"{self.path}: the sample rate")
        if suffix == ".flac" and sample_rate > 65_535 and sample_rate % 10:
            raise AudioError(
                f"{self.path}: a .flac file can't hold {sample_rate} Hz; write .wav or a multiple of 10 Hz"
            )
        self.channels = channels
        rates = {"OPUS": _OPUS_RATES, "MPEG_LAYER_III": _MP3_RATES}.get(self.subtype, (sample_rate,))
        self.sample_rate = min((r for r in rates if r >= sample_rate), default=rates[-1])
        self._resampler = Resampler(sample_rate, self.sample_rate, channels)
        self._temporary = self.path.with_name(f".{self.path.name[:40]}.{secrets.token_hex(6)}.tmp")
        self._file: soundfile.SoundFile | None = None
        self._held = np.zeros((channels, 0), dtype=np.float32)
        self._taken = 0
        self._written = 0
        self._clipped = 0

    def __enter__(self) -> Writer:
        if self.path.is_dir():
            raise AudioError(f"{self.path}: is a folder; name a file")
        try:
            open(self._temporary, "xb").close()  # gives a telling error where libsndfile gives none
            self._file = soundfile.SoundFile(
                native_path(self._temporary),
                "w",
                samplerate=self.sample_rate,
                channels=self.channels,
                format=self._format,
                subtype=self.subtype,
            )
        except (OSError, RuntimeError, ValueError) as error:
            with contextlib.suppress(OSError, ValueError):
                self._temporary.unlink()
            raise AudioError(f"{self.path}: can't be written there ({_first_line(error)})") from error
        return self

    def write(self, block: np.ndarray) -> None:
        """Append (channels, n) samples; float32 or float64, full scale at +-1."""
        if self._file is None:
            raise AudioError(f"{self.path}: use the Writer in a `with` block")
        block = np.asarray(block)
        if block.dtype.kind != "f":
            raise AudioError(f"{self.path}: samples of type {block.dtype}; give floats with full scale at +-1")
        if block.ndim != 2 or block.shape[0] != self.channels:
            raise AudioError(f"{self.path}: a block of shape {block.shape}, expected ({self.channels}, n)")
        for i in range(0, block.shape[1], BLOCK):
            with np.errstate(over="ignore"):  # what overflows is refused in the next line
                part = np.asarray(block[:, i : i + BLOCK], dtype=np.float32)
            fine = np.abs(part) <= LOUDEST  # False for NaN too
            if not fine.all():
                at = self._taken + int(np.argmin(fine.all(axis=0)))
                raise AudioError(f"{self.path}: sample {at} to be written is not finite, or far too loud for sound")
            self._taken += part.shape[1]
            self._put(self._resampler.push(part))

    def _put(self, part: np.ndarray, last: bool = False) -> None:
        """Store samples of the file's own rate in equal blocks: what Vorbis makes of them depends on the cuts."""
        self._written += part.shape[1]
        if self._format == "WAV" and self._written * self.channels * _BYTES[self.subtype] > _WAV_LIMIT:
            raise AudioError(f"{self.path}: a .wav file ends at 4 GiB; write .flac instead")
        held = np.concatenate([self._held, part], axis=1)
        full = held.shape[1] if last else held.shape[1] - held.shape[1] % BLOCK
        for i in range(0, full, BLOCK):  # never more at once: the Vorbis writer crashes on one large write
            self._store(held[:, i : min(i + BLOCK, full)])
        self._held = held[:, full:].copy()

    def _store(self, part: np.ndarray) -> None:
        assert self._file is not None
        if self.subtype != "FLOAT":
            self._clipped += int(np.count_nonzero(np.abs(part) > 1.0))
            part = np.clip(part, -1.0, 1.0)
        try:
            self._file.write(self._as_stored(part.T))
        except (OSError, RuntimeError, AssertionError) as error:  # soundfile asserts that all was written
            raise AudioError(f"{self.path}: writing failed ({_first_line(error)})") from error

    def _as_stored(self, part: np.ndarray) -> np.ndarray:
        if self.subtype not in _BITS:
            return np.ascontiguousarray(part, dtype=np.float32)
        # libsndfile scales floats by 2**(bits-1) - 1 on the way in and by 2**(bits-1) on the way out; whole numbers
        # of our own scaling make the round trip exact.
        bits = _BITS[self.subtype]
        top = 2 ** (bits - 1)
        whole = np.clip(np.rint(part.astype(np.float64) * top), -top, top - 1)
        return np.ascontiguousarray(whole.astype(np.int64) << (32 - bits)).astype(np.int32)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._put(self._resampler.finish(), last=True)
                if self._written == 0:
                    raise AudioError(f"{self.path}: not one sample to write")
            self._close()
            if kind is None:
                self._publish()
        finally:
            try:
                self._close()
            finally:
                self._temporary.unlink(missing_ok=True)
        if self._clipped and kind is None:
            warnings.warn(
                AudioWarning(f"{self.path}: {self._clipped} samples beyond full scale were clipped"), stacklevel=2
            )

    def _close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            except (OSError, RuntimeError) as error:
                raise AudioError(f"{self.path}: writing failed ({_first_line(error)})") from error

    def _publish(self) -> None:
        try:
            with open(self._temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(self._temporary, self.path)
        except OSError as error:
            raise AudioError(f"{self.path}: can't be written there ({_first_line(error)})") from error


def _first_line(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or getattr(error, "error_string", "") or str(error)
    return (text.splitlines() or ["disk full?"])[0]
