"""A small multi-resolution discriminator on complex spectra, and the loss that joins it to another one.

After Défossez et al. 2022, "High fidelity neural audio compression" (complex STFT, hinge loss, feature matching that is
normalised and averaged over layers); weighted against the mel distance as in Kumar et al. 2023, "High-fidelity audio
compression with improved RVQGAN".
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

WINDOWS = (512, 1024, 2048)
WIDTHS = (16, 24, 32)
ADVERSARIAL, MATCHING = 1 / 15, 2 / 15  # of the mel distance's weight
_LEARNING_RATE, _BETAS = 5e-4, (0.8, 0.99)
_COMPRESSION = 0.3


class OneResolution(nn.Module):
    """Convolutions over time and frequency of a complex spectrum."""

    def __init__(self, window: int) -> None:
        super().__init__()
        self.window = window
        self.register_buffer("hann", torch.hann_window(window), persistent=False)
        layers, width = [], 2
        for i, wider in enumerate(WIDTHS):
            kernel, stride = ((3, 9), (1, 4)) if i == 0 else ((3, 5), (1, 2))
            padding = (1, kernel[1] // 2)
            layers.append(weight_norm(nn.Conv2d(width, wider, kernel, stride, padding)))
            width = wider
        self.layers = nn.ModuleList(layers)
        self.last = weight_norm(nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Feature maps of sounds ``(B, T)``; the last one is the verdict."""
        frames = F.pad(x, (0, self.window)).unfold(-1, self.window, self.window // 2)
        parts = torch.view_as_real(torch.fft.rfft(frames * self.hann, norm="ortho"))
        # Loudness as an ear has it, the phase kept.
        size = (parts.square().sum(-1, keepdim=True) + 1e-8).sqrt()
        h = (parts * size ** (_COMPRESSION - 1)).permute(0, 3, 1, 2)
        made = []
        for layer in self.layers:
            h = F.leaky_relu(layer(h), 0.1)
            made.append(h)
        return [*made, self.last(h)]


class Discriminator(nn.Module):
    """One stack of convolutions for each window length."""

    def __init__(self) -> None:
        super().__init__()
        self.of = nn.ModuleList(OneResolution(window) for window in WINDOWS)

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """Feature maps of sounds ``(B, T)`` at every resolution."""
        return [one(x) for one in self.of]


class Adversarial(nn.Module):
    """A loss of ``(x, x_hat)`` to which, once begun, a discriminator trained beside adds its own.

    Args:
        loss: the loss of two sounds ``(B, T)``.
        autocast: the context that the convolutions run in.
    """

    def __init__(self, loss: nn.Module, autocast: torch.autocast) -> None:
        super().__init__()
        self.loss, self.autocast = loss, autocast
        self.critic = Discriminator()
        self.optimizer = torch.optim.AdamW(self.critic.parameters(), _LEARNING_RATE, _BETAS)
        self.share = 0.0  # of the discriminator's terms: 0 leaves it out

    def forward(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """The loss, a scalar; trains the discriminator by one step on the way."""
        total: Tensor = self.loss(x, x_hat)
        if not self.share:
            return total
        level = x.square().mean(-1, keepdim=True).sqrt() + 1e-3
        x, x_hat = x / level, x_hat / level
        self._learn(x, x_hat.detach())
        self.critic.requires_grad_(False)
        with self.autocast:
            with torch.no_grad():
                wanted = self.critic(x)
            found = self.critic(x_hat)
        self.critic.requires_grad_(True)
        fool = sum(-maps[-1].float().mean() for maps in found) / len(found)
        match = [
            (a.float() - b.float()).abs().mean() / (b.float().abs().mean() + 1e-6)
            for ours, theirs in zip(found, wanted, strict=True)
            for a, b in zip(ours[:-1], theirs[:-1], strict=True)
        ]
        return total + self.share * (ADVERSARIAL * fool + MATCHING * sum(match) / len(match))

    def _learn(self, x: Tensor, x_hat: Tensor) -> None:
        with self.autocast:
            verdicts = self.critic(torch.cat([x, x_hat]))
        loss = x.new_zeros(())
        for maps in verdicts:
            real, made = maps[-1].float().chunk(2)
            loss = loss + F.relu(1 - real).mean() + F.relu(1 + made).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
