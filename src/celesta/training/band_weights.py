"""Fixed weights of MDCT coefficients by frequency, measured on training music."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from celesta.models.nested import Nested
from celesta.models.nested2 import Nested2
from celesta.training.data import Corpus


@torch.no_grad()
def band_weights(model: Nested | Nested2, corpus: Corpus, seed: int) -> Tensor:
    """Compute what a coefficient is divided by to give its perceptual weight, ``(bands,)``.

    Its root mean square over crops of the training music to the power 0.3, smoothed over bands, times the width that
    the mel scale gives a band there.
    """
    rng = np.random.default_rng([seed, 2**31])
    crops = np.stack([corpus.crop(rng, model.window, 32 * model.config.bands) for _ in range(256)])
    power = model.mdct(torch.from_numpy(crops).to(model.spread.device)).square().mean((0, 1))
    smooth = (power @ model.pooling)[model.group_of]
    spread: Tensor = (smooth + 1e-10) ** 0.15 * mel_share(len(smooth), model.sample_rate).to(smooth.device)
    return spread


def mel_share(bands: int, sample_rate: int) -> Tensor:
    """700 Hz and the frequency of each band ``(bands,)`` together, 1 at 2 kHz: as wide as the mel scale's bands."""
    hertz = (torch.arange(bands) + 0.5) * (sample_rate / 2 / bands)
    return (hertz + 700) / 2_700
