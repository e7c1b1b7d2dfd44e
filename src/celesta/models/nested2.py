"""A codec with a coded band envelope: envelope and dense base, a sparse detail of MDCT coefficients, a decoder of both.

The envelope says how much power each band has, and how much of it the detail left out. The decoder's networks only
choose the shape of what is added (tones, noise, fine shape in time and frequency): its power is the coded one.
Networks see two frames as one token.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from celesta._device import autocast
from celesta.errors import ModelError
from celesta.models import envelope as env
from celesta.models.base import Capabilities, Model, ModelConfig, Parts
from celesta.models.mdct import Mdct
from celesta.models.nested import NOISE_FRAMES, SUB_BLOCKS, Backbone, _groups

_QUIET = 1e-11
TEACHER = 200
POWER = 0.3
"""Of the envelope in the weight of a coefficient, where no bitrate chooses it."""


@dataclass(frozen=True)
class Nested2Config(ModelConfig):
    """Sizes of the codec.

    Attributes:
        bands: MDCT coefficients a frame, and samples a frame.
        base: dense channels, ordered by importance.
        detail: coefficients a frame that ``encode`` keeps.
        token: frames that the networks see as one token.
        encoder_width, encoder_depth: of the ConvNeXt that makes the base.
        decoder_width, decoder_depth: of the ConvNeXt that shapes what is added.
        kernel: tokens that a block's depthwise convolution spans.
        groups: bands of the fine shape.
        seen: coefficients that the decoder sees one by one.
        tonal: coefficients that the decoder predicts one by one.
    """

    bands: int = 1_024
    base: int = 24
    detail: int = 64
    token: int = 2
    encoder_width: int = 192
    encoder_depth: int = 4
    decoder_width: int = 288
    decoder_depth: int = 5
    kernel: int = 5
    groups: int = 128
    seen: int = 640
    tonal: int = 512

    def __post_init__(self) -> None:
        if self.bands != env.EDGES[-1] or not 0 <= self.detail <= self.bands or not 1 <= self.base <= 256:
            raise ModelError("nested2: bands must be 1024, detail within 0..1024, base within 1..256")
        if self.kernel % 2 == 0 or self.groups > self.bands or self.token not in (1, 2, 4):
            raise ModelError("nested2: kernel must be odd, groups at most bands, token 1, 2 or 4")
        if not 0 < self.seen <= self.bands or not 0 < self.tonal <= self.bands:
            raise ModelError("nested2: seen and tonal must be within 1..1024")


NESTED2 = Nested2Config()


class Nested2(Model):
    """The codec on one audio channel at 44 100 Hz; frames of 1024 samples, 43 a second."""

    kind = "nested2"
    capabilities = Capabilities(
        has_weights=True, has_detail=True, codes_to_bitrate=True, decodes_fewer_channels=True, has_envelope=True
    )
    Config: ClassVar[type[ModelConfig]] = Nested2Config
    config: Nested2Config
    sample_rate = 44_100
    spread: Tensor
    noise: Tensor
    group_of: Tensor
    pooling: Tensor

    def __init__(self, config: Nested2Config) -> None:
        super().__init__(config)
        c = config
        self.latent_dim, self.detail_size, self.hop_length = c.base, c.detail, c.bands
        self.window, self.context = 432 * c.bands, 24 * c.bands
        self.dtype = torch.float32
        self.mdct, self.cells = Mdct(c.bands), env.Cells()
        self.encoder = Backbone(c.token * (c.groups + SUB_BLOCKS), c.encoder_width, c.encoder_depth, c.kernel)
        self.to_base = nn.Linear(c.encoder_width, c.token * c.base)
        inputs = c.token * (c.seen + c.groups + c.base + 1 + 2 * env.BANDS)
        self.decoder = Backbone(inputs, c.decoder_width, c.decoder_depth, c.kernel)
        self.tonal = nn.Linear(c.decoder_width, c.token * c.tonal)
        self.shape = nn.Linear(c.decoder_width, c.token * 2 * c.groups)
        self.teacher = nn.Sequential(nn.Linear(3 * c.base, 256), nn.GELU(), nn.Linear(256, TEACHER))
        # Training starts at noise of the coded power.
        for head in (self.tonal, self.shape):
            nn.init.normal_(head.weight, std=1e-3)
            nn.init.zeros_(head.bias)
        self.register_buffer("spread", torch.ones(c.bands))
        group_of, pooling = _groups(c.bands, c.groups)
        self.register_buffer("group_of", group_of, persistent=False)
        self.register_buffer("pooling", pooling, persistent=False)
        noise = np.random.Generator(np.random.PCG64(7)).standard_normal((NOISE_FRAMES, c.bands), np.float32)
        self.register_buffer("noise", torch.from_numpy(noise), persistent=False)

    # ---- the contract

    @property
    def detail_limit(self) -> int:
        """All coefficients of a frame: fewer are kept as a choice."""
        return int(self.config.bands)

    def encode(self, x: Tensor) -> Parts:
        """Encode ``(B, 1, T)``: base, envelope, and the ``detail`` coefficients of most weight in each frame."""
        c = self.mdct(x[:, 0])
        frames = c.shape[1]
        c = F.pad(c, (0, 0, 0, -frames % env.FRAMES))
        base = self.base(x, c)[:, :frames].transpose(1, 2)
        envelope = self.cells.envelope(c)
        level = self.cells.spread(envelope * env.STEP_DB + env.FLOOR_DB)
        weight = self.spread * torch.exp(level * (POWER * math.log(10) / 20))
        places = (c.abs() / weight).topk(self.detail_size, dim=-1).indices
        chosen = torch.zeros_like(c, dtype=torch.bool).scatter(-1, places, torch.ones_like(places, dtype=torch.bool))
        kept = chosen & (c != 0)  # to the decoder a kept zero is one that is left out
        both = torch.cat([envelope, self.cells.rest(c, kept)], dim=-1) * env.STEP_DB + env.FLOOR_DB
        places = places[:, :frames].transpose(1, 2)
        return Parts(base, places, c.gather(-1, places.transpose(1, 2)).transpose(1, 2), both.transpose(1, 2))

    def decode(self, parts: Parts, length: int, start: int = 0, channel: int | Tensor = 0) -> Tensor:
        """Decode to ``(B, 1, length)``. Fewer base channels or coefficients than the full number may come.

        ``channel`` is the index of the audio channel: all but the first get noise and signs of their own.
        """
        batch, dim, frames = parts.base.shape
        if parts.envelope.shape[-1] * env.FRAMES < frames:
            raise ModelError("nested2: its latents have a band envelope, and this one has none")
        more = -frames % env.FRAMES
        base = F.pad(parts.base, (0, more, 0, self.config.base - dim)).transpose(1, 2)
        detail = base.new_zeros(batch, frames + more, self.config.bands)
        if parts.places.shape[1]:
            places = F.pad(parts.places, (0, more)).transpose(1, 2)
            detail.scatter_add_(-1, places, F.pad(parts.values, (0, more)).transpose(1, 2).to(detail.dtype))
        index = ((parts.envelope.float() - env.FLOOR_DB) / env.STEP_DB).clamp(min=0).transpose(1, 2)
        envelope, rest = index.chunk(2, -1)
        share = torch.full_like(base[..., :1], dim / self.config.base)
        noise = start + channel * (NOISE_FRAMES // 2)
        c = self.fill(base, share, envelope, rest, detail, cast(int, noise), decorrelated=channel > 0)
        return self.mdct.inverse(c[:, :frames], length)[:, None]

    def prepare(self, dtype: torch.dtype = torch.float32) -> None:
        """Evaluation mode; ``bfloat16`` is what the networks were trained in, so it costs next to nothing."""
        self.eval()
        self.dtype = dtype
        if dtype != torch.float32:
            for module in (self.encoder, self.decoder, self.to_base, self.tonal, self.shape):
                for layer in module.modules():
                    if isinstance(layer, nn.Linear):
                        layer.to(dtype)  # once, instead of in every call

    # ---- the two networks

    def _autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """Return the context of the precision given to :meth:`prepare`; in training the loop sets one."""
        narrow = not self.training and self.dtype == torch.bfloat16
        return autocast(device, "bfloat16") if narrow else nullcontext()

    def base(self, x: Tensor, c: Tensor) -> Tensor:
        """The base ``(B, F, base)`` of audio ``(B, 1, T)`` with coefficients ``c``; values within about +-4."""
        with self._autocast(x.device):
            made = self.to_base(self.encoder(self._tokens(self.features(x, c))))
        return 4 * torch.tanh(made.float() / 4).reshape(len(c), c.shape[1], self.config.base)

    def _tokens(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), x.shape[1] // self.config.token, -1)

    def features(self, x: Tensor, c: Tensor) -> Tensor:
        """What the encoder sees: log band powers and, for attacks, log powers of sixteen pieces of each frame."""
        side = F.pad(c, (1, 1))
        power = c**2 + (side[..., 2:] - side[..., :-2]) ** 2
        bands = torch.log10(power @ self.pooling + _QUIET)
        sharp = F.pad(x[:, 0, 1:] - x[:, 0, :-1], (0, 1))
        sharp = F.pad(sharp, (0, c.shape[1] * self.config.bands - sharp.shape[-1]))
        pieces = sharp.reshape(len(c), c.shape[1], SUB_BLOCKS, -1)
        return torch.cat([(bands + 4) / 2, (torch.log10(pieces.square().mean(-1) + _QUIET) + 6) / 2], dim=-1)

    def fill(
        self,
        base: Tensor,
        share: Tensor,
        envelope: Tensor,
        rest: Tensor,
        detail: Tensor,
        start: int = 0,
        *,
        decorrelated: bool | Tensor = False,
    ) -> Tensor:
        """Add to the kept coefficients what was left out, at its coded power.

        Args:
            base: ``(B, F, base)``, unused channels zero; ``F`` is a multiple of 4.
            share: ``(B, F, 1)`` how much of the base is there.
            envelope: ``(B, F / 4, 25)`` envelope indices.
            rest: ``(B, F / 4, 25)`` indices of the mean power of what was left out.
            detail: ``(B, F, bands)`` kept coefficients, zeros elsewhere.
            start: index of the first frame in the song, so that the noise does not depend on windows.
            decorrelated: give each added coefficient a random sign, for the second of two rotated channels: what is
                added to it must not follow the first one, or left and right get the wrong powers.

        Returns:
            Coefficients ``(B, F, bands)``.
        """
        with self._autocast(detail.device):
            h = self.decoder(self.sees(base, share, envelope, rest, detail))
            tonal, shape = self.tonal(h), self.shape(h)
        rows = (start + torch.arange(detail.shape[1], device=detail.device)) % NOISE_FRAMES
        made = self.shaped(tonal, shape, rest, detail, self.noise[rows])
        if decorrelated is False:
            return made
        sign = torch.sign(self.noise[(rows + NOISE_FRAMES // 3) % NOISE_FRAMES])
        if isinstance(decorrelated, Tensor):  # in graphs, where the channel is an input
            sign = torch.where(decorrelated, sign, torch.ones_like(sign))
        return torch.where(detail != 0, detail, made * sign)

    def sees(self, base: Tensor, share: Tensor, envelope: Tensor, rest: Tensor, detail: Tensor) -> Tensor:
        """Inputs of the decoder ``(B, tokens, inputs)``."""
        c = self.config
        level = torch.exp((envelope * env.STEP_DB + env.FLOOR_DB) * (2.302585093 / 20))
        relative = detail / self.cells.spread(level)
        near = relative[..., : c.seen]
        seen = torch.sign(near) * torch.log1p(2 * near.abs())
        bands = torch.log10(relative**2 @ self.pooling + 1e-3)
        levels = (envelope * env.STEP_DB + (env.FLOOR_DB + 60)) / 20
        left = (rest - envelope) * (env.STEP_DB / 10)
        coarse = torch.cat([levels, left], dim=-1).repeat_interleave(env.FRAMES, 1)
        return self._tokens(torch.cat([seen, bands, base, share, coarse], dim=-1))

    def shaped(self, tonal: Tensor, shape: Tensor, rest: Tensor, detail: Tensor, noise: Tensor) -> Tensor:
        """The kept coefficients and, between them, what the heads' outputs say at the coded power."""
        c = self.config
        batch, frames, _ = detail.shape
        tonal = F.pad(tonal.float().reshape(batch, frames, c.tonal), (0, c.bands - c.tonal))
        gain, noisiness = shape.float().reshape(batch, frames, 2 * c.groups).chunk(2, -1)
        amount = torch.exp(gain.clamp(-8, 8))[..., self.group_of]
        added = amount * (tonal + torch.sigmoid(noisiness)[..., self.group_of] * noise)
        kept = detail != 0
        out = (~kept).float()
        added = added * out
        count = self.cells.sum(out)
        wanted = env.to_power(rest) * count
        # What was left out is smaller than what was kept.
        limit = self.least(detail, kept)
        for _ in range(2):
            scale = ((wanted + 1e-20) / (self.cells.sum(added**2) + 1e-20)).sqrt()
            added = torch.minimum(torch.maximum(added * self.cells.spread(scale), -limit), limit)
        return detail + added

    def least(self, detail: Tensor, kept: Tensor) -> Tensor:
        """The least kept magnitude of each cell, for its coefficients; infinite where none is."""
        size = torch.where(kept, detail.abs(), torch.full_like(detail, 1e3))
        batch, frames, _ = detail.shape
        size = size.reshape(batch, frames // env.FRAMES, env.FRAMES, -1).amin(2)
        cells = torch.stack([part.amin(-1) for part in torch.split(size, self.widths, -1)], -1)
        return self.cells.spread(cells)

    @property
    def widths(self) -> list[int]:
        """Coefficients of each band."""
        return [b - a for a, b in zip(env.EDGES[:-1], env.EDGES[1:], strict=True)]
