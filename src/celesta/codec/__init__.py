"""Whole songs with one model: the window grid, encoding and decoding, bitrates and rate control."""

from celesta.codec.bitrate import Target
from celesta.codec.codec import Codec
from celesta.codec.loading import load
from celesta.codec.many import EncodedFile, Manifest, encode_files
from celesta.latents import LatentWindow, WrittenFile, truncate
from celesta.models.weights import FOLDER as WEIGHTS

Coded = LatentWindow  # the former name

__all__ = [
    "WEIGHTS",
    "Codec",
    "Coded",
    "EncodedFile",
    "LatentWindow",
    "Manifest",
    "Target",
    "WrittenFile",
    "encode_files",
    "load",
    "truncate",
]
