"""Whole songs with one model: the window grid, encoding and decoding, bitrates and rate control."""

from celesta.codec.bitrate import Target
from celesta.codec.codec import Codec
from celesta.codec.loading import load
from celesta.latents import LatentWindow, WrittenFile, truncate
from celesta.models.weights import FOLDER as WEIGHTS

Coded = LatentWindow  # the former name

__all__ = ["WEIGHTS", "Codec", "Coded", "LatentWindow", "Target", "WrittenFile", "load", "truncate"]
