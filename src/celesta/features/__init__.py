"""Vectors of songs: hand-made descriptors, pooled latents and a tagger's layers, extracted once and cached."""

from celesta.features.cache import FeatureCache
from celesta.features.extract import Features, extract
from celesta.features.registry import names

__all__ = ["FeatureCache", "Features", "extract", "names"]
