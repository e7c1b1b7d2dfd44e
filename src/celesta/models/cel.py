"""The 2024 report's four autoencoders: 1-D convolutions, batch normalisation, max pooling, transposed convolutions.

Shapes, channel plans, activations and sizes are those of the report; kernel sizes and the places of the pooling layers,
which it does not state, are chosen here. The parameters are those of a 1-D network. They are applied as 2-D
convolutions of height 1 in channels-last memory, which CPUs compute several times faster, with the same result.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from celesta.errors import ModelError
from celesta.models.base import Capabilities, Model, ModelConfig, Parts

ACTIVATIONS: dict[str, Callable[..., Tensor]] = {"leaky_relu": F.leaky_relu, "silu": F.silu}


@dataclass(frozen=True)
class CelConfig(ModelConfig):
    """Plan of one of the report's autoencoders.

    Attributes:
        channels: width of each encoder block; the first is the signal itself.
        pooled: indices of the blocks (from 1) that end in max pooling by two.
        activation: ``leaky_relu`` or ``silu``.
        kernel: taps of every convolution but the last.
        last_kernel: taps of the last one, 16 -> 1 channels, where more taps are cheap.
    """

    channels: tuple[int, ...] = (1, 16, 32, 64, 128, 256, 512)
    pooled: tuple[int, ...] = (2, 3, 4, 5)
    activation: str = "leaky_relu"
    kernel: int = 3
    last_kernel: int = 9

    def __post_init__(self) -> None:
        blocks = len(self.channels) - 1
        if blocks < 2 or self.channels[0] != 1 or not all(1 <= width <= 4_096 for width in self.channels):
            raise ModelError(f"cel: channels must begin with 1 and go on with two or more widths, got {self.channels}")
        if list(self.pooled) != sorted({n for n in self.pooled if 1 <= n <= blocks}):
            raise ModelError(f"cel: pooled must be rising numbers of the {blocks} blocks, got {self.pooled}")
        if self.activation not in ACTIVATIONS:
            raise ModelError(f"cel: activation must be one of {', '.join(ACTIVATIONS)}, got {self.activation!r}")
        if not all(taps % 2 == 1 and 1 <= taps <= 255 for taps in (self.kernel, self.last_kernel)):
            raise ModelError(f"cel: kernels must be odd, got {self.kernel} and {self.last_kernel}")


CEL_LR = CelConfig()
CEL_SILU = CelConfig(activation="silu")
CEL_2 = CelConfig(pooled=(3, 4, 5))
CEL_3 = CelConfig(channels=(1, 16, 32, 64, 128, 256, 256, 256), pooled=(1, 2, 3, 4, 5, 6, 7))


class Block(nn.Module):
    """Convolution, batch normalisation, activation, on ``(B, C, 1, T)`` in channels-last memory."""

    folded_weight: Tensor | None
    folded_bias: Tensor | None

    def __init__(self, c_in: int, c_out: int, kernel: int, activation: str, *, transposed: bool) -> None:
        super().__init__()
        conv = nn.ConvTranspose1d if transposed else nn.Conv1d
        self.conv = conv(c_in, c_out, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm1d(c_out)
        self.act = ACTIVATIONS[activation]
        # Kernel and bias with the normalisation in them: buffers, so that they move with the module.
        self.register_buffer("folded_weight", None, persistent=False)
        self.register_buffer("folded_bias", None, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, c_in, 1, T)`` to ``(B, c_out, 1, T)``."""
        weight = self.folded_weight
        if weight is not None:
            return self.act(F.conv2d(x, weight, self.folded_bias, padding=(0, weight.shape[-1] // 2)), inplace=True)
        x = F.conv2d(x, kernel_2d(self.conv), padding=(0, self.conv.kernel_size[0] // 2))
        n = self.norm
        if self.training and n.num_batches_tracked is not None:
            n.num_batches_tracked.add_(1)
        x = F.batch_norm(x, n.running_mean, n.running_var, n.weight, n.bias, self.training, n.momentum or 0.0, n.eps)
        return self.act(x)

    def fold(self, dtype: torch.dtype) -> None:
        """Fold the normalisation's fixed scale and shift into the kernel (inference only)."""
        n = self.norm
        assert n.running_var is not None
        assert n.running_mean is not None
        scale = n.weight / torch.sqrt(n.running_var + n.eps)
        weight = (kernel_2d(self.conv) * scale[:, None, None, None]).to(dtype)
        bias = (n.bias - n.running_mean * scale).to(dtype)
        self.folded_weight = weight.contiguous(memory_format=torch.channels_last).detach()
        self.folded_bias = bias.detach()


def kernel_2d(conv: nn.Conv1d | nn.ConvTranspose1d) -> Tensor:
    """Return the kernel ``(out, in, 1, k)`` of a convolution of stride 1; of a transposed one with its taps flipped."""
    weight = conv.weight
    if isinstance(conv, nn.ConvTranspose1d):
        weight = weight.flip(-1).transpose(0, 1)
    return weight.unsqueeze(2)


def halve(x: Tensor) -> Tensor:
    """Max-pool by two in time; without gradients by a comparison, which CPUs compute several times faster."""
    if torch.is_grad_enabled():
        return F.max_pool2d(x, (1, 2))
    whole = x.shape[-1] // 2 * 2
    return torch.maximum(x[..., 0:whole:2], x[..., 1:whole:2])


def upsample_to(x: Tensor, length: int) -> Tensor:
    """Upsample by exactly two (nearest), the last sample repeated where ``length`` is odd.

    A plain nearest ``Upsample`` to an odd size shifts almost every sample by one, so that a network trained on crops
    of even sizes fails on whole windows.
    """
    b, c, _, t = x.shape
    x = x.unsqueeze(-1).expand(b, c, 1, t, 2).reshape(b, c, 1, 2 * t).contiguous(memory_format=torch.channels_last)
    if length > 2 * t:
        x = torch.cat([x, x[..., -1:]], dim=-1)
    return x


@torch.no_grad()
def looks_linear_(model: CelAutoencoder) -> None:
    """Initialise filters in pairs of opposite sign that the next layer subtracts, so that the network starts linear.

    A pair ``f(a) - f(-a)`` is linear in ``a`` for LeakyReLU and exactly ``a`` for SiLU; of a max-pooled pair the
    difference is ``max + min``, the sum of the two samples. Source: Balduzzi et al. 2017, "The Shattered Gradients
    Problem", section 4 (mirrored blocks).
    """
    paired_input = False
    for block in [*model.encoder, *model.decoder]:
        kernel = kernel_2d(block.conv).clone()
        kernel[1::2] = -kernel[::2]
        if paired_input:
            kernel[:, 1::2] = -kernel[:, ::2]
        block.conv.weight.copy_(_as_stored(kernel, block.conv))
        paired_input = True
    model.last.weight[1::2] = -model.last.weight[::2]


def _as_stored(kernel: Tensor, conv: nn.Conv1d | nn.ConvTranspose1d) -> Tensor:
    kernel = kernel.squeeze(2)
    return kernel.transpose(0, 1).flip(-1) if isinstance(conv, nn.ConvTranspose1d) else kernel


class CelAutoencoder(Model):
    """One of the 2024 report's autoencoders (CELAutoencoder, 2, 3 or SiLU), by its configuration.

    Loss: mean squared error on windows of 5 s scaled to peak 1.
    """

    kind = "cel"
    capabilities = Capabilities(has_weights=True)
    Config: ClassVar[type[ModelConfig]] = CelConfig
    config: CelConfig
    last_weight: Tensor | None
    last_bias: Tensor | None
    window = 110_250
    overlap = 1_024
    normalise = True

    def __init__(self, config: CelConfig) -> None:
        super().__init__(config)
        plan = config.channels
        self.latent_dim = plan[-1]
        self.hop_length = 2 ** len(config.pooled)
        self.encoder = nn.ModuleList(
            Block(a, b, config.kernel, config.activation, transposed=False) for a, b in itertools.pairwise(plan)
        )
        back = plan[:0:-1]
        self.decoder = nn.ModuleList(
            Block(a, b, config.kernel, config.activation, transposed=True) for a, b in itertools.pairwise(back)
        )
        self.last = nn.ConvTranspose1d(plan[1], 1, config.last_kernel, padding=config.last_kernel // 2)
        self.register_buffer("last_weight", None, persistent=False)
        self.register_buffer("last_bias", None, persistent=False)
        # The output starts near zero, the mean of the signal.
        with torch.no_grad():
            self.last.weight.mul_(0.1)

    def initialise(self, method: str) -> None:
        """Draw the weights: ``looks-linear`` as :func:`looks_linear_`, else as PyTorch does."""
        if method == "looks-linear":
            looks_linear_(self)

    def sizes(self, length: int) -> list[int]:
        """Return the lengths before each pooling, from the signal's to the latent's: 110250, 55125, ... 6890."""
        sizes = [length]
        for _ in self.config.pooled:
            sizes.append(sizes[-1] // 2)
        return sizes

    def encode(self, x: Tensor) -> Parts:
        """Encode ``(B, 1, T)`` to a base of ``(B, latent_dim, F)``, T halved and rounded down by each pool."""
        short = self.hop_length - x.shape[-1]
        if short > 0:
            x = F.pad(x, (0, short))
        h = x.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        if self.last_weight is not None:
            h = h.to(self.last_weight.dtype)
        for number, block in enumerate(self.encoder, start=1):
            h = block(h)
            if number in self.config.pooled:
                h = halve(h)
        return Parts.dense(h.squeeze(2))

    def decode(self, parts: Parts, length: int, start: int = 0) -> Tensor:
        """Decode the latent of ``length`` samples to ``(B, 1, length)`` within [-1, 1]."""
        sizes = self.sizes(max(length, self.hop_length))
        h = parts.base.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        if self.last_weight is not None:
            h = h.to(self.last_weight.dtype)
        # The mirror: what was pooled after encoder block n is upsampled before the block that inverts n.
        for number, block in zip(range(len(self.encoder), 1, -1), self.decoder, strict=True):
            if number in self.config.pooled:
                sizes.pop()
                h = upsample_to(h, sizes[-1])
            h = block(h)
        if 1 in self.config.pooled:
            sizes.pop()
            h = upsample_to(h, sizes[-1])
        weight, bias = self.last_weight, self.last_bias
        if weight is None:
            weight, bias = kernel_2d(self.last), self.last.bias
        h = torch.tanh(F.conv2d(h, weight, bias, padding=(0, weight.shape[-1] // 2)))
        return h.squeeze(2)[..., :length]

    def prepare(self, dtype: torch.dtype = torch.float32) -> None:
        """Fold the batch normalisation into the kernels and lay them out for inference."""
        self.eval()
        for block in [*self.encoder, *self.decoder]:
            block.fold(dtype)
        self.last_weight = kernel_2d(self.last).to(dtype).contiguous(memory_format=torch.channels_last).detach()
        assert self.last.bias is not None
        self.last_bias = self.last.bias.to(dtype).detach()
