"""The orthonormal modified discrete cosine transform (MDCT) of signals of whole frames.

An MDCT is a rotation of every pair of samples that are mirrored about a frame border, followed by a DCT-IV of each
frame (Princen and Bradley 1986; Malvar 1992, "lapped orthogonal transforms"). At the two ends of the signal nothing is
folded, so ``F`` frames of ``bands`` numbers are an orthogonal transform of ``F * bands`` samples: no extra frame, and
perfect reconstruction of the first and the last sample. Frames that are computed with a neighbour on each side, which
is then discarded, are those of the transform of the whole signal.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from celesta.models.mdct_numpy import inverse_mdct, mdct


class Mdct(nn.Module):
    """Orthonormal MDCT with a sine window of ``2 * bands`` samples and a hop of ``bands``.

    It has no parameters and no state, is differentiable, and computes each frame independently of the batch. On the CPU
    without gradients SciPy computes it: faster than PyTorch, and to the bit what models that run without PyTorch get.
    Codecs take logarithms of what is left of a quiet band, where the rounding of two FFTs would make a difference.

    Args:
        bands: coefficients per frame, and samples per frame; even.
    """

    rise: Tensor
    fall: Tensor
    twiddle: Tensor

    def __init__(self, bands: int = 512) -> None:
        super().__init__()
        if bands < 2 or bands % 2:
            raise ValueError(f"bands must be even and at least 2, got {bands}")
        self.bands = bands
        j = torch.arange(bands // 2, dtype=torch.float64)
        # The sine window after and before a border: rise ** 2 + fall ** 2 = 1.
        self.register_buffer("rise", torch.sin(math.pi / (2 * bands) * (bands / 2 + j + 0.5)).float(), persistent=False)
        self.register_buffer("fall", torch.sin(math.pi / (2 * bands) * (bands / 2 - j - 0.5)).float(), persistent=False)
        angle = -math.pi * (8 * j + 1) / (8 * bands)
        scale = (2 / bands) ** 0.25
        twiddle = scale * torch.stack([angle.cos(), angle.sin()], dim=-1)
        self.register_buffer("twiddle", twiddle.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Compute coefficients ``(B, F, bands)`` of ``(B, T)``, padded with zeros to ``F = ceil(T / bands)`` frames."""
        x = x.to(self.rise.dtype)
        if _in_numpy(x):
            return torch.from_numpy(mdct(x.numpy(), self.bands))
        short = -x.shape[-1] % self.bands
        if short:
            x = F.pad(x, (0, short))
        u = self._rotate(x.reshape(x.shape[0], -1, self.bands), -self.fall)
        # A DCT-IV of the block read backwards, negated: what the customary phase of the MDCT comes to.
        y = self._half_fft(u[..., 1::2].flip(-1), u[..., ::2])
        return torch.stack([-y.real, y.imag.flip(-1)], dim=-1).flatten(-2)

    def inverse(self, c: Tensor, length: int) -> Tensor:
        """Compute signals ``(B, length)`` of coefficients ``(B, F, bands)``, zeros after the last frame."""
        c = c.to(self.rise.dtype)
        if _in_numpy(c):
            return torch.from_numpy(inverse_mdct(c.numpy(), length))
        y = self._half_fft(c[..., ::2], c[..., 1::2].flip(-1))
        u = torch.stack([y.imag, -y.real.flip(-1)], dim=-1).flatten(-2)
        return fit_length(self._rotate(u, self.fall).reshape(c.shape[0], -1), length)

    def _rotate(self, blocks: Tensor, fall: Tensor) -> Tensor:
        """Rotate the samples mirrored about each border between two blocks ``(B, F, bands)``."""
        half = self.bands // 2
        after = blocks[:, 1:, :half]
        before = blocks[:, :-1, half:].flip(-1)
        left = torch.cat([blocks[:, :1, :half], self.rise * after + fall * before], dim=1)
        right = torch.cat([(self.rise * before - fall * after).flip(-1), blocks[:, -1:, half:]], dim=1)
        return torch.cat([left, right], dim=-1)

    def _half_fft(self, even: Tensor, odd_reversed: Tensor) -> Tensor:
        """The complex half-length FFT that holds an orthonormal DCT-IV: C[2k] = Re y[k], C[N-1-2k] = -Im y[k]."""
        twiddle = torch.view_as_complex(self.twiddle)
        y: Tensor = torch.fft.fft(torch.complex(even, odd_reversed) * twiddle) * twiddle
        return y


def _in_numpy(x: Tensor) -> bool:
    """Whether NumPy computes: on the CPU, in float32, without gradients, and not while a graph is made."""
    plain = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_grad_enabled()
    tracing = bool(torch._C._get_tracing_state())  # torch.jit.is_tracing has no types
    return plain and not tracing and not torch.compiler.is_compiling()


def fit_length(x: Tensor, length: int) -> Tensor:
    """Cut the last axis to ``length`` samples, or pad it with zeros."""
    missing = length - x.shape[-1]
    return F.pad(x, (0, missing)) if missing > 0 else x[..., :length]
