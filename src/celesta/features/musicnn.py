"""MusiCNN, a tagger whose layers tell songs apart: log-mel spectrogram, timbral and temporal filters, dense middle.

Source: Pons & Serra 2019, "musicnn: pre-trained convolutional neural networks for music audio tagging"; weights of
PyPI's ``musicnn`` 0.1.0 (ISC licence), converted once by ``scripts/convert_musicnn.py``. The network is written anew
and answers as the original does, its half-precision spectrogram included.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from celesta._device import autocast, autocast_dtype
from celesta.dsp.spectra import mel_area_filters
from celesta.errors import ModelError, UsageError
from celesta.models import weights
from celesta.models.weights import FOLDER as WEIGHTS

SAMPLE_RATE = 16_000
PATCH_FRAMES = 187
CHECKPOINTS = ("MSD", "MTT")
LAYERS = ("penultimate", "mean_pool", "max_pool", "tags")
_N_FFT, _HOP, _BANDS = 512, 256, 96
_EPS = 1e-3
_BATCH = 2  # patches at once: the copied places of two fit the cache, more are a third slower
_BLOCK_FRAMES = 2 * PATCH_FRAMES


class _Front(nn.Module):
    """Filters over time and frequency, ReLU, batch normalisation, then the loudest place in frequency.

    With one channel going in, a matrix product over all places is several times faster than a library's convolution.
    Some neighbouring places share a row of it, which copies less and multiplies little more.
    """

    def __init__(self, filters: int, time: int, frequency: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, filters, (time, frequency))
        self.norm = nn.BatchNorm1d(filters, _EPS)
        self.along = 1 if frequency == 1 else 2  # neighbours in time or in frequency
        self.shared = 8 if frequency == 1 else 4

    def forward(self, x: Tensor) -> Tensor:
        """``(B, T, 96)`` to ``(B, filters, T)``."""
        # ReLU and normalisation keep or turn the order, so the loudest is taken first, and they are done on
        # what is left.
        turned = self.norm.weight < 0
        order = torch.argsort(turned.int(), stable=True)
        straight = int((~turned).sum())
        made = self._rows(x) @ self._kernels(order).to(x.dtype)
        made = made.view(*made.shape[:-1], self.shared, len(order))
        # Behind a ReLU negative numbers are all alike, and the bits of the others are ordered as whole numbers are,
        # which are compared four times faster.
        bits = made.view(torch.int16 if made.dtype == torch.bfloat16 else torch.int32)
        over = (2,) if self.along == 1 else (2, 3)
        ends = [bits[..., :straight].amax(over), bits[..., straight:].amin(over)]
        loudest = torch.cat(ends, -1).view(made.dtype)[..., torch.argsort(order)].flatten(1, -2)[:, : x.shape[1]]
        normed: Tensor = self.norm(F.relu(loudest.float()).transpose(1, 2))
        return normed

    def _rows(self, x: Tensor) -> Tensor:
        """What the kernel hears at ``shared`` neighbouring places, and a one for its bias."""
        time, frequency = (int(size) for size in self.conv.kernel_size)
        before = (time - 1) // 2
        if self.along == 1:
            x = F.pad(x, (0, 0, before, time - 1 - before + -x.shape[1] % self.shared))
            parts = [x.unfold(1, time + self.shared - 1, self.shared)]
        else:
            x = F.pad(x, (0, 0, before, time - 1 - before)).unfold(1, time, 1).transpose(2, 3)
            width = frequency + self.shared - 1
            # A last row begins where it still fits; what it shares with the one before does not change the loudest.
            parts = [x.unfold(3, width, self.shared), x[..., -width:].unsqueeze(3)]
            parts = [part.transpose(2, 3) for part in parts]
        size = parts[0].shape[3:].numel()
        rows = x.new_ones(*parts[0].shape[:2], sum(part.shape[2] for part in parts), size + 1)
        first = 0
        for part in parts:
            there = rows[:, :, first : first + part.shape[2], :size]
            there.view(part.shape).copy_(part)
            first += part.shape[2]
        return rows

    def _kernels(self, order: Tensor) -> Tensor:
        """``(samples + 1, shared * filters)``: the kernel moved on by a place for each neighbour, and its biases."""
        kernel = self.conv.weight[order, 0]
        width = kernel.shape[self.along]
        shape = [self.shared, *kernel.shape]
        shape[1 + self.along] += self.shared - 1
        moved = kernel.new_zeros(shape)
        for neighbour in range(self.shared):
            moved[neighbour].narrow(self.along, neighbour, width).copy_(kernel)
        assert self.conv.bias is not None
        bias = self.conv.bias[order].expand(self.shared, -1)
        return torch.cat([moved.flatten(2), bias[..., None]], dim=2).flatten(0, 1).T


class _Middle(nn.Module):
    """Convolution over time, ReLU, batch normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, 64, 7, padding=3)
        self.norm = nn.BatchNorm1d(64, _EPS)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, channels, T)`` to ``(B, 64, T)``."""
        made: Tensor = self.norm(F.relu(self.conv(x)).float())
        return made


class Musicnn(nn.Module):
    """The network on patches of log-mel frames.

    Attributes:
        tags: names of the 50 tags it was trained on.
    """

    def __init__(self, tags: tuple[str, ...]) -> None:
        super().__init__()
        self.tags = tags
        self.norm = nn.BatchNorm1d(1, _EPS)
        self.timbral = nn.ModuleList([_Front(204, 7, 38), _Front(204, 7, 67)])
        self.temporal = nn.ModuleList([_Front(51, length, 1) for length in (128, 64, 32)])
        self.mid = nn.ModuleList([_Middle(561), _Middle(64), _Middle(64)])
        self.pool_norm = nn.BatchNorm1d(1506, _EPS)
        self.dense = nn.Linear(1506, 200)
        self.dense_norm = nn.BatchNorm1d(200, _EPS)
        self.out = nn.Linear(200, len(tags))

    def forward(self, patches: Tensor) -> dict[str, Tensor]:
        """Layers of ``(B, frames, 96)`` log-mel patches: penultimate ``(B, 200)``, mean_pool and max_pool
        ``(B, 753)``, tags ``(B, 50)`` from 0 to 1.
        """  # noqa: D205
        x = self.norm(patches.flatten(1)[:, None]).view_as(patches)
        x = x.to(autocast_dtype(x.device))  # before places are copied out, not after
        front = torch.cat([block(x) for block in (*self.timbral, *self.temporal)], dim=1)
        first = self.mid[0](front)
        second = self.mid[1](first) + first
        third = self.mid[2](second) + second
        features = torch.cat([front, first, second, third], dim=1)
        mean, loudest = features.mean(-1), features.amax(-1)
        both = torch.stack([loudest, mean], dim=-1).flatten(1)
        penultimate = self.dense_norm(F.relu(self.dense(self.pool_norm(both))))
        tags = torch.sigmoid(self.out(penultimate))
        return {"penultimate": penultimate, "mean_pool": mean, "max_pool": loudest, "tags": tags}

    @torch.inference_mode()
    def layers(self, samples: np.ndarray, hop: int = PATCH_FRAMES, precision: str = "float32") -> dict[str, np.ndarray]:
        """Layers of a song, a row a patch of 3 s; a last piece shorter than a patch is left out.

        A sound shorter than a patch is followed by silence (the original refuses it). Beyond the samples and what is
        returned, the memory needed does not grow with the song: spectra are made as the patches need them.

        Args:
            samples: ``(n,)`` mono at 16 kHz, full scale 1.
            hop: frames of 16 ms from one patch to the next.
            precision: of the convolutions, ``float32``, ``bfloat16``, or ``auto``: bfloat16 where the processor has it.

        Returns:
            :data:`LAYERS` to float32 ``(patches, dim)``.

        Raises:
            UsageError: not mono, empty or not finite, or ``hop`` is less than 1.
        """
        if hop < 1:
            raise UsageError(f"musicnn: hop must be 1 frame or more, got {hop}")
        x = _checked(samples)
        x = _centred(np.pad(x, (0, max(0, (PATCH_FRAMES - 1) * _HOP - len(x)))))
        starts = range(0, _frames(x) - PATCH_FRAMES + 1, hop)
        made: dict[str, list[np.ndarray]] = {name: [] for name in LAYERS}
        device = self.out.weight.device
        for first in range(0, len(starts), _BATCH):
            batch = [_log_mel(x, at, at + PATCH_FRAMES) for at in starts[first : first + _BATCH]]
            with autocast(device, precision):
                layers = self(torch.from_numpy(np.stack(batch)).to(device))
            for name in LAYERS:
                made[name].append(layers[name].float().cpu().numpy())
        return {name: np.concatenate(parts) for name, parts in made.items()}


def log_mel(samples: np.ndarray) -> np.ndarray:
    """``(frames, 96)`` float32: log10(10000 m + 1) of the mel power m, rounded as the original rounds.

    ``1 + n // 256`` frames of 16 ms. The original computes in half precision, in which loud bands overflow to infinity;
    those are computed in single.

    Args:
        samples: ``(n,)`` mono at 16 kHz, full scale 1.

    Raises:
        UsageError: not mono, empty or not finite.
    """
    x = _centred(_checked(samples))
    firsts = range(0, _frames(x), _BLOCK_FRAMES)
    return np.concatenate([_log_mel(x, first, min(first + _BLOCK_FRAMES, _frames(x))) for first in firsts])


def _checked(samples: np.ndarray) -> np.ndarray:
    x = np.asarray(samples, np.float32)
    if x.ndim != 1 or x.size == 0 or not np.isfinite(x).all():
        raise UsageError(f"musicnn hears finite mono samples (n,), got shape {x.shape}")
    return x


def _centred(x: np.ndarray) -> np.ndarray:
    """Sound mirrored at both ends, as librosa did when the network was trained (since 0.10 it fills in silence).

    It matters: where a sound starts at once, silence before it makes a click that the largest of a layer then shows.
    """
    return np.pad(x, _N_FFT // 2, mode="reflect")


def _frames(x: np.ndarray) -> int:
    """How many frames mirrored samples hold."""
    return 1 + (len(x) - _N_FFT) // _HOP


def _log_mel(x: np.ndarray, first: int, last: int) -> np.ndarray:
    """:func:`log_mel` of mirrored samples, frames ``first`` up to ``last``."""
    window = np.hanning(_N_FFT + 1)[:-1]
    frames = np.lib.stride_tricks.sliding_window_view(x[first * _HOP : (last - 1) * _HOP + _N_FFT], _N_FFT)[::_HOP]
    # In double precision: what band-limited sound leaves empty would else hold rounding noise.
    power = np.abs(scipy.fft.rfft(frames * window, axis=-1)).astype(np.float32) ** 2
    mel = power @ mel_area_filters(_N_FFT, _BANDS, SAMPLE_RATE)
    with np.errstate(over="ignore"):
        rounded = np.log10(np.float16(10_000) * mel.astype(np.float16) + np.float16(1)).astype(np.float32)
    made: np.ndarray = np.where(np.isfinite(rounded), rounded, np.log10(10_000 * mel + 1))
    return made


def load_musicnn(checkpoint: str = "MSD") -> Musicnn:
    """The tagger trained on the Million Song Dataset (``MSD``) or MagnaTagATune (``MTT``), with its weights.

    Raises:
        UsageError: there is no such checkpoint.
        ModelError: its weights are missing or damaged.
    """
    if checkpoint not in CHECKPOINTS:
        raise UsageError(f"musicnn: checkpoint must be one of {', '.join(CHECKPOINTS)}, got {checkpoint!r}")
    path = WEIGHTS / f"musicnn-{checkpoint.lower()}.safetensors"
    try:
        found = weights.read(path)
        model = Musicnn(tuple(map(str, found.json("tags"))))
        found.load_into(model)
    except (ModelError, TypeError) as error:
        raise ModelError(f"{path}: no weights of musicnn ({error})") from None
    return model.eval()
