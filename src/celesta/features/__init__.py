"""Feature vectors of songs: hand-crafted descriptors, pooled latents, layers of taggers; extracted once and cached."""

from celesta.features.cache import FeatureCache, cache_folder
from celesta.features.extract import Features, extract
from celesta.features.registry import entries, extractor, names, needed

__all__ = ["FeatureCache", "Features", "cache_folder", "entries", "extract", "extractor", "names", "needed"]
