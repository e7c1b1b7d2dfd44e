"""A model with its weights on the fixed window grid: whole songs to latents and back, in memory or file to file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from celesta import audio
from celesta.audio import Audio
from celesta.codec import windowing
from celesta.errors import AudioError, LatentError, ModelError, UsageError
from celesta.latents.file import CelReader, CelWriter, verify
from celesta.latents.latent import Latent, fill_detail
from celesta.models import registry
from celesta.models import weights as weights_files
from celesta.models.base import Model, Parts


class Coded(NamedTuple):
    """One window's latent: arrays of shape ``(channels, rows, frames)`` and the gain ``(channels,)``."""

    base: np.ndarray
    places: np.ndarray
    values: np.ndarray
    gain: np.ndarray


class Codec:
    """Encodes and decodes songs of any length, rate and number of channels with one model.

    Every window goes through the model alone and channel by channel, so that the same sound gives the same latent
    whatever the file's neighbours, the order or the number of workers.

    Attributes:
        name: what was loaded.
        model: the model, in inference mode.
        weights: SHA-256 of the weights' file, "" for a model that needs none.
        facts: what the weights' file says of its training.
    """

    def __init__(
        self,
        name: str,
        model: Model,
        weights: str = "",
        facts: dict[str, object] | None = None,
        precision: str = "float32",
    ) -> None:
        self.name = name
        self.model = model
        self.weights = weights
        self.facts = facts or {}
        model.prepare(_precision(precision))

    # ---- in memory

    def encode(self, source: str | Path | Audio, *, mono: bool = False) -> Latent:
        """Encode a sound file, or sound in memory.

        Args:
            source: a path, or samples ``(channels, n)`` in [-1, 1] with their rate.
            mono: mix to one channel first. Otherwise each channel has a latent of its own.

        Raises:
            AudioError: the file cannot be read, or samples are not finite.
        """
        rate, n_samples, tags, blocks = self.open(source, mono)
        coded = list(self.encode_blocks(blocks))
        base, places, values, gain = (np.stack(arrays) for arrays in zip(*coded, strict=True))
        return Latent(
            base=base,
            places=places,
            values=values,
            gain=gain,
            model=self.name,
            weights=self.weights,
            sample_rate=self.model.sample_rate,
            hop_length=self.model.hop_length,
            window=self.model.window,
            overlap=self.model.overlap,
            source_rate=rate,
            n_samples=n_samples(),
            tags=tags,
        )

    def decode(self, latent: Latent, sample_rate: int | None = None) -> Audio:
        """Decode to the source's rate and its exact number of samples, or to another rate.

        Raises:
            LatentError: the latent is of another model or of other weights.
        """
        self.check(latent.model, latent.weights, latent.latent_dim, latent.detail_size)
        rate = sample_rate or latent.source_rate

        def window(i: int) -> Coded:
            return Coded(latent.base[i], latent.places[i], latent.values[i], latent.gain[i])

        blocks = _left_right(self.decode_windows(window, latent.windows), latent.mid_side)
        parts = list(_at_rate(blocks, self.model.sample_rate, latent.source_rate, latent.n_samples, rate))
        return Audio(np.concatenate(parts, axis=1), rate)

    # ---- file to file, in flat memory

    def encode_file(
        self,
        source: str | Path,
        target: str | Path,
        *,
        mono: bool = False,
        dtype: str = "float16",
        bits: int | None = None,
        check: bool = False,
        progress: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Encode a file to a .cel file, holding one window at a time.

        Args:
            source: sound file.
            target: the .cel file; its name appears only when it is whole.
            mono: mix to one channel first.
            dtype: ``float16`` or ``float32``.
            bits: quantise to so many bits a number instead.
            check: prove the file whole before its name appears.
            progress: told the seconds of sound done.

        Raises:
            AudioError, LatentError: reading or writing failed; nothing is left under the target's name.
        """
        rate, n_samples, tags, blocks = self.open(source, mono)
        target = Path(target)
        written = target.with_name(f".{target.name}.{os.getpid()}.unverified") if check else target
        try:
            with CelWriter(written, self.meta(rate, tags), dtype=dtype, bits=bits) as writer:
                seconds = (self.model.window - self.model.overlap) / self.model.sample_rate
                for number, coded in enumerate(self.encode_blocks(blocks), start=1):
                    writer.append(*coded)
                    progress(number * seconds)
                writer.close(n_samples())
            if check:
                verify(written)
                with CelReader(written) as reader:
                    for _ in self.decode_windows(lambda i: Coded(*reader.window(i)), len(reader)):
                        pass
                written.replace(target)
        finally:
            if check:
                written.unlink(missing_ok=True)

    def decode_file(
        self,
        source: str | Path,
        target: str | Path,
        *,
        sample_rate: int | None = None,
        progress: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Decode a .cel file to a sound file, holding one window at a time; the payload is verified first.

        Raises:
            LatentError, AudioError: the file is damaged, of other weights, or the sound cannot be written.
        """
        with CelReader(source) as reader:
            reader.check_payload()
            meta = reader.meta
            self.check(meta.model, meta.weights, meta.latent_dim, meta.detail_size)
            rate = sample_rate or meta.source_rate
            blocks = self.decode_windows(lambda i: Coded(*reader.window(i)), len(reader))
            blocks = _left_right(blocks, bool(meta.mid_side))
            done = 0
            with audio.Writer(target, rate, meta.channels) as writer:
                for block in _at_rate(blocks, self.model.sample_rate, meta.source_rate, meta.n_samples, rate):
                    writer.write(block)
                    done += block.shape[1]
                    progress(done / rate)

    # ---- window by window

    def encode_blocks(self, blocks: Iterable[np.ndarray]) -> Iterator[Coded]:
        """Latents of the windows of a stream of ``(channels, n)`` blocks at the model's rate."""
        model = self.model
        for window in windowing.cut(blocks, model.window, model.context, model.overlap):
            yield self._encode_window(window)

    def decode_windows(self, window: Callable[[int], Coded], count: int) -> Iterator[np.ndarray]:
        """Blocks ``(channels, n)`` at the model's rate from ``count`` windows, each asked for by its number."""
        return windowing.join(self._decoded(window, count), self.model.overlap)

    def _decoded(self, window: Callable[[int], Coded], count: int) -> Iterator[np.ndarray]:
        """The windows' sounds; a second thread reads and unpacks the next window while this one decodes."""
        with ThreadPoolExecutor(1) as reader:
            coming = {i: reader.submit(window, i) for i in range(min(2, count))}
            for i in range(count):
                if i + 2 < count:
                    coming[i + 2] = reader.submit(window, i + 2)
                yield self._decode_window(lambda j: coming[j].result(), i, count)
                coming.pop(i - 1, None)  # each is its neighbours' context too

    @torch.inference_mode()
    def _encode_window(self, window: windowing.Window) -> Coded:
        model = self.model
        x = np.ascontiguousarray(window.samples)
        gain = np.ones(len(x), np.float32)
        if model.normalise:
            gain = np.abs(x).max(axis=1)
            x = x / np.where(gain > 0, gain, 1)[:, None]
        first = window.left // model.hop_length
        keep = slice(first, first + model.window_frames)
        made = [model.encode(torch.from_numpy(channel)[None, None]) for channel in x]
        return Coded(
            _joined([p.base[..., keep].float().numpy() for p in made]),
            _joined([p.places[..., keep].numpy().astype(np.uint16) for p in made]),
            _joined([p.values[..., keep].float().numpy() for p in made]),
            gain,
        )

    @torch.inference_mode()
    def _decode_window(self, window: Callable[[int], Coded], i: int, count: int) -> np.ndarray:
        model = self.model
        here = window(i)
        frames = model.context // model.hop_length
        left, right = (frames if i > 0 else 0), (frames if i + 1 < count else 0)
        around = [here]
        if left:
            around.insert(0, _frames(window(i - 1), slice(-left, None)))
        if right:
            around.append(_frames(window(i + 1), slice(0, right)))
        most = max(part.places.shape[1] for part in around)
        base = np.concatenate([part.base for part in around], axis=-1)
        places = np.concatenate([fill_detail(part.places, most) for part in around], axis=-1)
        values = np.concatenate([fill_detail(part.values, most) for part in around], axis=-1)
        start, length = left * model.hop_length, model.window
        first = i * (model.window - model.overlap) // model.hop_length - left
        total = (left + right) * model.hop_length + length
        out = []
        for channel in range(len(base)):
            parts = Parts(
                torch.from_numpy(base[channel : channel + 1].astype(np.float32)),
                torch.from_numpy(places[channel : channel + 1].astype(np.int64)),
                torch.from_numpy(values[channel : channel + 1].astype(np.float32)),
            )
            out.append(model.decode(parts, total, first)[0, 0, start : start + length].float().numpy())
        sound = np.stack(out)
        if not np.isfinite(sound).all():
            raise LatentError(f"{self.name}: window {i} does not decode to finite sound; its values are out of range")
        return sound * here.gain[:, None] if model.normalise else sound

    # ---- the rest

    def check(self, model: str, weights: str, latent_dim: int, detail_size: int) -> None:
        """Check that a latent is this codec's.

        Raises:
            LatentError: it is of another model, other weights, or truncated where this model cannot decode that.
        """
        if model != self.name and weights != self.weights:
            raise LatentError(f"the latent was made by {model!r}, not {self.name!r}; decode it with {model!r}")
        if weights != self.weights:
            raise LatentError(
                f"the latent was made with other weights of {model} ({weights[:12]}..., here {self.weights[:12]}...);"
                " load the weights or the run folder that made it"
            )
        if latent_dim > self.model.latent_dim or detail_size > self.model.detail_limit:
            raise LatentError(f"the latent has more channels than {self.name} decodes")
        if latent_dim < self.model.latent_dim and not self.model.capabilities.decodes_fewer_channels:
            raise LatentError(f"the latent has {latent_dim} channels, {self.name} needs all {self.model.latent_dim}")

    def open(
        self, source: str | Path | Audio, mono: bool
    ) -> tuple[int, Callable[[], int], dict[str, str], Iterator[np.ndarray]]:
        """Rate, a function that gives the number of samples once all are read, tags, and blocks at the model's rate."""
        if isinstance(source, Audio):
            rate, tags = source.sample_rate, {}
            samples = _checked(source)
            blocks: Iterator[np.ndarray] = iter([samples.mean(axis=0, keepdims=True) if mono else samples])
        else:
            info = audio.probe(source)
            rate, tags = info.sample_rate, info.tags
            blocks = audio.stream(source, mono=mono)
        seen = 0

        def counted() -> Iterator[np.ndarray]:
            nonlocal seen
            for block in blocks:
                seen += block.shape[1]
                yield block

        return rate, lambda: seen, tags, _resampled(counted(), rate, self.model.sample_rate)

    def meta(self, rate: int, tags: dict[str, str]) -> dict[str, object]:
        """What the head of a .cel file of this codec says, sizes apart."""
        m = self.model
        return {
            "model": self.name,
            "weights": self.weights,
            "sample_rate": m.sample_rate,
            "hop_length": m.hop_length,
            "window": m.window,
            "overlap": m.overlap,
            "source_rate": rate,
            "tags": tags,
        }


def load(name: str | Path, *, precision: str = "float32") -> Codec:
    """A codec by the name of a model (``cel-silu``, ``linear-64``, ...) or the folder of a training run.

    Args:
        name: of the model, or the folder.
        precision: ``bfloat16`` lets a network compute in it: up to twice as fast on processors with bfloat16
            products, at an error far below the model's own (see docs/limits.md), and slower on others.

    Raises:
        ModelError: no such model, or its weights are missing, damaged or do not fit.
    """
    folder = Path(name)
    if (folder / "best.safetensors").is_file():
        return _from_weights(str(name), None, folder / "best.safetensors", precision)
    if (folder / "train.toml").is_file():
        raise ModelError(f"{folder}: the run has no weights yet; train until its first validation")
    entry = registry.entry(str(name))
    file = entry.weights_file
    if file is None and not entry.needs_weights:
        return Codec(entry.name, registry.build(entry.config), precision=precision)
    if file is None or not file.is_file():
        raise ModelError(
            f"{name}: its weights are not installed; train it: celesta train -m {name} --data MUSIC -o RUN"
        )
    if entry.sized and entry.size > registry.entry(file.stem).size:
        raise ModelError(f"{name}: the shipped fit goes up to {file.stem}; train it: celesta train -m {name}")
    return _from_weights(entry.name, registry.build(entry.config), file, precision)


def _precision(name: str) -> torch.dtype:
    if name not in ("float32", "bfloat16"):
        raise UsageError(f"precision must be float32 or bfloat16, got {name!r}")
    return torch.float32 if name == "float32" else torch.bfloat16


def _from_weights(name: str, model: Model | None, file: Path, precision: str) -> Codec:
    found = weights_files.read(file, advice="fetch or train them again")
    if model is None:
        model = registry.build(registry.config_from_dict(found.json("config")))
    found.load_into(model)
    facts = found.json("facts") if "facts" in found.metadata else {}
    return Codec(name, model, found.sha256, facts, precision)


def _resampled(blocks: Iterable[np.ndarray], from_rate: int, to_rate: int) -> Iterator[np.ndarray]:
    """A stream at another rate; the total is exactly ``resampled_length``."""
    resampler = None
    for block in blocks:
        if from_rate == to_rate:
            yield block
            continue
        resampler = resampler or audio.Resampler(from_rate, to_rate, len(block))
        yield resampler.push(block)
    if resampler is not None:
        yield resampler.finish()


def _at_rate(
    blocks: Iterable[np.ndarray], model_rate: int, source_rate: int, n_samples: int, rate: int
) -> Iterator[np.ndarray]:
    """Decoded blocks cut to the sound's exact length, at ``rate``."""
    cut = windowing.limit(blocks, audio.resampled_length(n_samples, source_rate, model_rate))
    total = n_samples if rate == source_rate else audio.resampled_length(n_samples, source_rate, rate)
    return windowing.limit(_resampled(cut, model_rate, rate), total)


def _left_right(blocks: Iterable[np.ndarray], mid_side: bool) -> Iterator[np.ndarray]:
    """Blocks ``(2, n)`` of middle and side as left and right; others as they are."""
    for block in blocks:
        yield np.stack([block[0] + block[1], block[0] - block[1]]) * np.float32(0.5**0.5) if mid_side else block


def _joined(channels: list[np.ndarray]) -> np.ndarray:
    """Channels' arrays behind each other; one alone is not copied, which for dense latents would take a while."""
    return channels[0] if len(channels) == 1 else np.concatenate(channels)


def _frames(coded: Coded, which: slice) -> Coded:
    return Coded(coded.base[..., which], coded.places[..., which], coded.values[..., which], coded.gain)


def _checked(sound: Audio) -> np.ndarray:
    """Samples in memory as ``(channels, n)`` float32, finite and not empty."""
    samples = np.asarray(sound.samples, np.float32)
    if samples.ndim != 2 or samples.size == 0:
        raise AudioError(f"sound in memory must have shape (channels, samples) and not be empty, got {samples.shape}")
    if not np.isfinite(samples).all():
        raise AudioError("sound in memory holds NaN or infinite samples")
    return samples
