"""Celesta's codec: a small dense base, a sparse detail of MDCT coefficients, and a decoder that reads both.

The coefficients of the detail are decoded unchanged. The decoder adds what they leave out (holes, high bands, noise),
never louder than what the encoder would have coded. So the reconstruction goes from a sketch (base alone) to
transparent (all coefficients) as the file grows. The layers are those of ConvNeXt over frames (Liu et al. 2022; in
audio: Siuzdak 2023, "Vocos").
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from celesta._device import autocast
from celesta.errors import ModelError
from celesta.models.base import Capabilities, Model, ModelConfig, Parts
from celesta.models.mdct import Mdct

NOISE_FRAMES = 509
SUB_BLOCKS = 16
_QUIET = 1e-11  # power of a coefficient: a tenth of what rounding to 16 bits leaves


@dataclass(frozen=True)
class NestedConfig(ModelConfig):
    """Sizes of the codec.

    Attributes:
        bands: MDCT coefficients per frame, and samples per frame.
        base: dense channels, ordered by importance.
        detail: coefficients per frame that :meth:`Nested.encode` returns.
        encoder_width, encoder_depth: of the ConvNeXt that computes the base.
        decoder_width, decoder_depth: of the ConvNeXt that predicts what the detail leaves out.
        kernel: frames that a block's depthwise convolution spans.
        groups: bands of the envelope, narrow at low frequencies and wide at high ones.
    """

    bands: int = 1_024
    base: int = 32
    detail: int = 64
    encoder_width: int = 192
    encoder_depth: int = 4
    decoder_width: int = 384
    decoder_depth: int = 6
    kernel: int = 7
    groups: int = 128

    def __post_init__(self) -> None:
        if not 0 <= self.detail <= self.bands or not 1 <= self.base <= 256 or self.bands % (2 * SUB_BLOCKS):
            raise ModelError("nested: detail must be within 0..bands, base within 1..256, bands a multiple of 32")
        if self.kernel % 2 == 0 or self.groups > self.bands:
            raise ModelError("nested: kernel must be odd and groups at most bands")


NESTED = NestedConfig()


class Block(nn.Module):
    """ConvNeXt block on ``(B, F, C)``: depthwise over frames, normalise, widen by four, narrow, add."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.depthwise = nn.Parameter(torch.randn(kernel, width) / math.sqrt(kernel))
        self.bias = nn.Parameter(torch.zeros(width))
        self.norm = nn.LayerNorm(width)
        self.wide = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.2))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, F, C)`` to the same shape; silence is assumed beyond both ends."""
        taps, frames = len(self.depthwise), x.shape[1]
        padded = F.pad(x, (0, 0, taps // 2, taps // 2))
        # A sum of shifted products: a depthwise convolution on this layout, and it fuses.
        h = self.bias.expand_as(x)
        for k in range(taps):
            h = torch.addcmul(h, padded[:, k : k + frames], self.depthwise[k])
        y: Tensor = self.narrow(F.gelu(self.wide(self.norm(h))))
        return x + self.scale * y


class Backbone(nn.Module):
    """Linear, normalisation, ConvNeXt blocks, normalisation: ``(B, F, inputs)`` to ``(B, F, width)``."""

    def __init__(self, inputs: int, width: int, depth: int, kernel: int) -> None:
        super().__init__()
        self.into = nn.Linear(inputs, width)
        self.first = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(Block(width, kernel) for _ in range(depth))
        self.last = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, F, inputs)`` to ``(B, F, width)``."""
        x = self.first(self.into(x))
        for block in self.blocks:
            x = block(x)
        y: Tensor = self.last(x)
        return y


class Nested(Model):
    """The codec on one audio channel at 44 100 Hz; frames of 1024 samples, 43 per second.

    Attributes:
        spread: ``(bands,)`` band weights, see :func:`celesta.training.band_weights.band_weights`; a coefficient's
            weighted magnitude is its magnitude divided by that.
    """

    kind = "nested"
    capabilities = Capabilities(has_weights=True, has_detail=True, codes_to_bitrate=True, decodes_fewer_channels=True)
    Config: ClassVar[type[ModelConfig]] = NestedConfig
    config: NestedConfig
    sample_rate = 44_100
    spread: Tensor
    noise: Tensor
    group_of: Tensor
    pooling: Tensor

    def __init__(self, config: NestedConfig) -> None:
        super().__init__(config)
        self.latent_dim, self.detail_size, self.hop_length = config.base, config.detail, config.bands
        self.window, self.context = 432 * config.bands, 24 * config.bands
        self.dtype = torch.float32
        self.mdct = Mdct(config.bands)
        self.encoder = Backbone(config.groups + SUB_BLOCKS, config.encoder_width, config.encoder_depth, config.kernel)
        self.to_base = nn.Linear(config.encoder_width, config.base)
        inputs = config.base + config.bands + config.groups + 2
        self.decoder = Backbone(inputs, config.decoder_width, config.decoder_depth, config.kernel)
        self.tonal = nn.Linear(config.decoder_width, config.bands)
        self.envelope = nn.Linear(config.decoder_width, config.groups)
        self.noisiness = nn.Linear(config.decoder_width, config.groups)
        # Training starts at nearly the sparse reconstruction, and from there only improves.
        for head in (self.tonal, self.envelope, self.noisiness):
            nn.init.normal_(head.weight, std=1e-3)
            nn.init.zeros_(head.bias)
        nn.init.constant_(self.envelope.bias, -5.0)
        self.register_buffer("spread", torch.ones(config.bands))
        group_of, pooling = _groups(config.bands, config.groups)
        self.register_buffer("group_of", group_of, persistent=False)
        self.register_buffer("pooling", pooling, persistent=False)
        noise = np.random.Generator(np.random.PCG64(7)).standard_normal((NOISE_FRAMES, config.bands), np.float32)
        self.register_buffer("noise", torch.from_numpy(noise), persistent=False)

    # ---- the contract

    @property
    def detail_limit(self) -> int:
        """All coefficients of a frame."""
        return int(self.config.bands)

    def encode(self, x: Tensor) -> Parts:
        """Encode ``(B, 1, T)``: the base, and each frame's ``detail`` coefficients of largest weighted magnitude."""
        c = self.mdct(x[:, 0])
        base = self.base(x, c).transpose(1, 2)
        places = (c.abs() / self.spread).topk(self.detail_size, dim=-1).indices
        return Parts(base, places.transpose(1, 2), c.gather(-1, places).transpose(1, 2))

    def decode(self, parts: Parts, length: int, start: int = 0) -> Tensor:
        """Decode to ``(B, 1, length)``, also from fewer base channels or coefficients than the full number."""
        batch, dim, frames = parts.base.shape
        base = F.pad(parts.base, (0, 0, 0, self.config.base - dim)).transpose(1, 2)
        detail = parts.base.new_zeros(batch, frames, self.config.bands)
        if parts.places.shape[1]:
            detail.scatter_add_(-1, parts.places.transpose(1, 2), parts.values.transpose(1, 2).to(detail.dtype))
        c = self.fill(base, torch.full_like(base[..., :1], dim / self.config.base), detail, start)
        return self.mdct.inverse(c, length)[:, None]

    def prepare(self, dtype: torch.dtype = torch.float32) -> None:
        """Set evaluation mode and the networks' precision; they were trained in bfloat16."""
        self.eval()
        self.dtype = dtype
        if dtype != torch.float32:
            for module in self.modules():
                if isinstance(module, nn.Linear):
                    module.to(dtype)  # once, instead of in every call

    # ---- the two networks

    def base(self, x: Tensor, c: Tensor) -> Tensor:
        """Compute the base ``(B, F, base)`` of signals ``(B, 1, T)`` with coefficients ``c``; values within +-4."""
        with self._autocast(x.device):
            made = self.to_base(self.encoder(self.features(x, c)))
        return 4 * torch.tanh(made.float() / 4)

    def _autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """Return the context of the precision given to :meth:`prepare`; in training the loop sets one."""
        narrow = not self.training and self.dtype == torch.bfloat16
        return autocast(device, "bfloat16") if narrow else nullcontext()

    def features(self, x: Tensor, c: Tensor) -> Tensor:
        """Compute the encoder's input: log band powers and, for attacks, log powers of sixteenths of each frame."""
        side = F.pad(c, (1, 1))
        # Neighbours' difference stands in for the sine transform, so that a steady tone does not flicker.
        power = c**2 + (side[..., 2:] - side[..., :-2]) ** 2
        bands = torch.log10(power @ self.pooling + _QUIET)
        sharp = F.pad(x[:, 0, 1:] - x[:, 0, :-1], (0, 1))
        sharp = F.pad(sharp, (0, c.shape[1] * self.config.bands - sharp.shape[-1]))
        pieces = sharp.reshape(len(c), c.shape[1], SUB_BLOCKS, -1)
        return torch.cat([(bands + 4) / 2, (torch.log10(pieces.square().mean(-1) + _QUIET) + 6) / 2], dim=-1)

    def fill(self, base: Tensor, share: Tensor, detail: Tensor, start: int = 0) -> Tensor:
        """Predict the coefficients that the detail leaves out, and add them to it.

        Args:
            base: ``(B, F, base)``, unused channels zero.
            share: ``(B, F, 1)`` share of the base's channels that are used.
            detail: ``(B, F, bands)`` coefficients of the detail, zeros elsewhere.
            start: index of the first frame in the song, so that the noise is the same wherever a window begins.

        Returns:
            Coefficients ``(B, F, bands)``.
        """
        kept = detail != 0
        size = detail.abs()
        smallest = torch.where(kept, size / self.spread, torch.inf).amin(dim=-1, keepdim=True)
        # What was left out has a smaller weighted magnitude than anything coded; without a detail nothing is known.
        known = torch.isfinite(smallest)
        # A frame without a detail among frames with one: its coefficients are below the smallest of those frames.
        least = smallest.amin(dim=1, keepdim=True)
        limit = torch.where(known, smallest, torch.where(torch.isfinite(least), least, 1e3))
        seen = torch.sign(detail) * torch.log1p(size * 300)
        level = torch.where(known, torch.log10(smallest.clamp(1e-5, 1e3)), 2.0)
        bands = torch.log10(detail**2 @ self.pooling + _QUIET) / 2 + 2
        with self._autocast(detail.device):
            h = self.decoder(torch.cat([base, share, level, seen, bands], dim=-1))
            envelope, noisiness, tonal = self.envelope(h), self.noisiness(h), self.tonal(h)
        amount = torch.exp(envelope.float().clamp(-14, 4))[..., self.group_of]
        share_of_noise = torch.sigmoid(noisiness.float())[..., self.group_of]
        rows = (start + torch.arange(detail.shape[1], device=detail.device)) % NOISE_FRAMES
        added = amount * (tonal.float() + share_of_noise * self.noise[rows])
        most = limit * self.spread
        return torch.where(kept, detail, added.clamp(-most, most))


def _groups(bands: int, groups: int) -> tuple[Tensor, Tensor]:
    """Return the group of each band ``(bands,)``, and the matrix ``(bands, groups)`` that averages over groups.

    Groups are one band wide at low frequencies, and equal shares of an octave above.
    """
    narrow = groups // 4
    rest = np.geomspace(narrow, bands, groups - narrow + 1)[1:]
    edges = np.concatenate([np.arange(narrow + 1), rest])
    for i in range(1, len(edges)):
        edges[i] = max(round(edges[i]), edges[i - 1] + 1)
    # Rounding up the narrow ones must not push the last beyond the end.
    edges = np.minimum(edges, bands - np.arange(len(edges))[::-1]).astype(int)
    group_of = np.repeat(np.arange(groups), np.diff(edges))
    pooling = (group_of[:, None] == np.arange(groups)) / np.diff(edges)
    return torch.from_numpy(group_of), torch.from_numpy(pooling.astype(np.float32))
