"""What operations need of the latents of a model; one check for a latent and, before any work, for a model."""

from __future__ import annotations

from celesta.dsp import band_envelope as bands
from celesta.errors import LatentError
from celesta.latents import Latent
from celesta.models.info import ModelInfo


def check_frames(model: str, sizes: Latent | ModelInfo) -> None:
    """Check that the windows of a latent follow each other, so that its frames can be moved in time.

    Raises:
        LatentError: they overlap.
    """
    if sizes.overlap:
        raise LatentError(
            f"{model}: its windows overlap, so its frames cannot be moved in time; use a model such as nested2"
        )


def check_detail(model: str, sizes: Latent | ModelInfo, what: str) -> None:
    """Check that a latent has a detail of MDCT coefficients.

    Args:
        model: name of the model.
        sizes: of the latent, or of the model.
        what: needs them.

    Raises:
        LatentError: it has none.
    """
    if not sizes.detail_size or sizes.hop_length != bands.EDGES[-1]:
        raise LatentError(f"{model}: {what} needs a detail of MDCT coefficients, as the codec nested2 has")
