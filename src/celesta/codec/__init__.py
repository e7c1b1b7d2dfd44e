"""Whole songs with one model: the window grid, encoding and decoding, bitrates and rate control."""

from celesta.codec.codec import Codec, Coded, load
from celesta.models.weights import FOLDER as WEIGHTS

__all__ = ["WEIGHTS", "Codec", "Coded", "load"]
