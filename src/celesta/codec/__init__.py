"""Whole songs with one model: the window grid, encoding and decoding, bitrates and rate control."""

from celesta.codec.bitrate import Target
from celesta.codec.codec import Codec
from celesta.codec.loading import WEIGHTS, load
from celesta.latents import LatentWindow, WrittenFile, truncate

Coded = LatentWindow  # the former name

__all__ = ["WEIGHTS", "Codec", "Coded", "LatentWindow", "Target", "WrittenFile", "load", "truncate"]
