"""Folders of music as lists of tracks: any folder, a CSV of labels, GTZAN with its published lists, 4QAED.

A track has a label, a group (the artist where known: what splits must keep whole) and a split. No audio is decoded.
"""

from celesta.datasets.folders import folder, labelled
from celesta.datasets.loading import load
from celesta.datasets.published import GTZAN_GENRES, gtzan, qaed
from celesta.datasets.track import Track, by_split, normalise_name

__all__ = ["GTZAN_GENRES", "Track", "by_split", "folder", "gtzan", "labelled", "load", "normalise_name", "qaed"]
