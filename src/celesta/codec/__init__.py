"""Whole songs with one model: the window grid, encoding and decoding, bitrates and rate control."""

from celesta.codec.codec import WEIGHTS, Codec, Coded, load

__all__ = ["WEIGHTS", "Codec", "Coded", "load"]
