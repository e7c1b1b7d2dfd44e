"""The baselines of :mod:`celesta.models.baselines` in NumPy."""

from __future__ import annotations

import numpy as np

from celesta.errors import LatentError, ModelError
from celesta.models.baseline_info import BANDS, PCA_FRAMES, BaselineConfig, LinearInfo, PcaInfo, SparseInfo
from celesta.models.mdct_numpy import inverse_mdct, mdct
from celesta.models.runtime import NO_ENVELOPE, ArrayRuntime, Arrays, DecoderInput, dense


class _Baseline(ArrayRuntime):
    def coefficients(self, x: np.ndarray) -> np.ndarray:
        """Compute the MDCT ``(B, F, 512)`` of signals ``(B, 1, T)``, padded with silence to whole latent frames."""
        short = -x.shape[-1] % self.model.hop_length
        return mdct(np.pad(x[:, 0], ((0, 0), (0, short))) if short else x[:, 0], BANDS)

    def _at_most(self, rows: np.ndarray, count: int) -> np.ndarray:
        if rows.shape[1] > count:
            raise LatentError(
                f"the latent has {rows.shape[1]} rows, the model only {count}; use the model it came from"
            )
        return rows


class LinearRuntime(_Baseline):
    """``linear-K``, see :class:`celesta.models.baselines.LinearBaseline`.

    Example:
        >>> runtime = LinearRuntime(LinearInfo(LinearInfo.Config(64)))
        >>> runtime.encode(np.zeros((1, 1, 1_024), np.float32))["base"].shape
        (1, 64, 2)
    """

    def encode(self, x: np.ndarray) -> Arrays:
        """Encode signals ``(B, 1, T)`` to a base ``(B, K, F)``."""
        return dense(np.ascontiguousarray(self.coefficients(x)[..., : self.model.latent_dim].transpose(0, 2, 1)))

    def decode(self, given: DecoderInput) -> np.ndarray:
        """Decode to ``(B, 1, length)``. Raises LatentError where there are more than K channels."""
        rows = self._at_most(given.base, self.model.latent_dim)
        c = np.zeros((len(rows), rows.shape[2], BANDS), np.float32)
        c[..., : rows.shape[1]] = rows.transpose(0, 2, 1)
        return inverse_mdct(c, given.length)[:, None]


class SparseRuntime(_Baseline):
    """``sparse-K``, see :class:`celesta.models.baselines.SparseBaseline`."""

    def encode(self, x: np.ndarray) -> Arrays:
        """Encode signals ``(B, 1, T)`` to places and values ``(B, K / 2, F)``."""
        c = self.coefficients(x)
        places = largest(np.abs(c), self.model.detail_size)
        values = np.take_along_axis(c, places, -1)
        base = np.zeros((c.shape[0], 0, c.shape[1]), np.float32)
        return {"base": base, "places": _rows(places), "values": _rows(values), "envelope": NO_ENVELOPE}

    def decode(self, given: DecoderInput) -> np.ndarray:
        """Decode to ``(B, 1, length)``. Raises LatentError where rows are too many or places are no bands."""
        places = given.places
        self._at_most(given.values, self.model.detail_size)
        if places.size and not 0 <= int(places.min()) <= int(places.max()) < BANDS:
            raise LatentError(f"a place of the detail lies outside 0..{BANDS - 1}; the latent is not one of sparse-K")
        return inverse_mdct(scattered(places, given.values, BANDS), given.length)[:, None]


class PcaRuntime(_Baseline):
    """``pca-K``, see :class:`celesta.models.baselines.PcaBaseline`.

    Args:
        model: sizes.
        components: ``(4 K or more, 2048)``, of which the first 4 K are used.
    """

    def __init__(self, model: PcaInfo, components: np.ndarray) -> None:
        super().__init__(model)
        if components.ndim != 2 or len(components) < model.latent_dim or components.shape[1] != PCA_FRAMES * BANDS:
            raise ModelError(
                f"PCA weights of shape {components.shape} do not fit pca-{model.config.size}, "
                f"which needs {(model.latent_dim, PCA_FRAMES * BANDS)}; fit it with celesta train"
            )
        self.stored_numbers = model.latent_dim * components.shape[1]
        self.components = np.ascontiguousarray(components[: model.latent_dim], np.float32)

    def encode(self, x: np.ndarray) -> Arrays:
        """Encode signals ``(B, 1, T)`` to a base ``(B, 4 K, F)``."""
        c = self.coefficients(x)
        groups = c.reshape(len(c), -1, PCA_FRAMES * BANDS)
        return dense(_rows(groups @ self.components.T))

    def decode(self, given: DecoderInput) -> np.ndarray:
        """Decode to ``(B, 1, length)``. Raises LatentError where there are more than 4 K channels."""
        rows = self._at_most(given.base, self.model.latent_dim)
        groups = rows.transpose(0, 2, 1) @ self.components[: rows.shape[1]]
        return inverse_mdct(groups.reshape(len(groups), -1, BANDS), given.length)[:, None]


def create(config: BaselineConfig, components: np.ndarray | None = None) -> ArrayRuntime:
    """Create the runtime of a baseline.

    Args:
        config: which one.
        components: of a PCA.
    """
    made: dict[type, type] = {LinearInfo.Config: LinearInfo, SparseInfo.Config: SparseInfo, PcaInfo.Config: PcaInfo}
    info = made[type(config)](config)
    if isinstance(info, PcaInfo):
        assert components is not None
        return PcaRuntime(info, components)
    return LinearRuntime(info) if isinstance(info, LinearInfo) else SparseRuntime(info)


def largest(size: np.ndarray, count: int) -> np.ndarray:
    """Return the places of the ``count`` largest numbers of the last axis, largest first, as int64."""
    if count >= size.shape[-1]:
        return np.argsort(-size, axis=-1, kind="stable")[..., :count]
    some = np.argpartition(-size, count, axis=-1)[..., :count]
    order = np.argsort(-np.take_along_axis(size, some, -1), axis=-1, kind="stable")
    return np.take_along_axis(some, order, -1)


def scattered(places: np.ndarray, values: np.ndarray, bands: int) -> np.ndarray:
    """Return coefficients ``(B, F, bands)`` of places and values ``(B, k, F)``; the values of one place are added."""
    batch, _, frames = values.shape
    c = np.zeros((batch, frames, bands), np.float32)
    b, f = np.arange(batch)[:, None, None], np.arange(frames)
    np.add.at(c, (b, f, places), values.astype(np.float32, copy=False))
    return c


def _rows(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x.transpose(0, 2, 1))
