"""What the columns of the pages' tables mean, in a sentence each."""

from __future__ import annotations

from collections.abc import Iterable

TERMS = {
    "latent": "Size of the latent of one window: rows x frames.",
    "floats/s": "Numbers in the latent for a second of audio.",
    "per sample": "Numbers in the latent for one sample of its input; above 1 the latent is larger than the audio.",
    "kbit/s": "Size of the coded file: thousands of bits for a second of audio.",
    "size": "Size of the file, or of the latent, for a second of audio.",
    "of the source": "Size next to the samples: 16-bit samples for coded files, one number a sample for other latents.",
    "MSE": "Mean squared difference of samples, full scale 1; lower is better.",
    "SI-SDR dB": "Signal-to-distortion ratio of the waveform, whatever its level; higher is better.",
    "mel distance": "Difference of log mel spectra at seven time scales; lower is better. It shows missing bands that "
    "SI-SDR hardly notices.",
    "encode s/s": "Seconds of audio encoded in a second, in this run on this machine.",
    "decode s/s": "Seconds of audio decoded in a second, in this run on this machine.",
    "weights MB": "Size of the model's weights; none for signal processing without training.",
    "step or target kbit/s": "Quantiser step size of a latent, or the bitrate asked of a codec.",
    "loudness LUFS": "Integrated loudness after ITU-R BS.1770.",
    "brightness Hz": "Spectral centroid, the mean frequency of the spectrum.",
    "onsets/s": "Attacks of notes a second.",
    "SI-SDR dB to unchanged": "Signal-to-distortion ratio of the waveform against the unchanged reconstruction.",
    "mel distance to unchanged": "Difference of log mel spectra from the unchanged reconstruction; 0 is equal.",
    "genre": "Most probable genre with its probability.",
    "mood": "Most probable quadrant of valence and arousal: happy, angry, sad or calm.",
    "tags": "Most probable tags; several may be right.",
    "valence": "From -1, unpleasant, to 1, pleasant.",
    "arousal": "From -1, quiet, to 1, excited.",
    "space": "What was clustered: all features, or their first principal components.",
    "ARI": "Adjusted Rand index: agreement of clusters and labels; 1 is perfect, 0 is chance.",
    "AMI": "Adjusted mutual information of clusters and labels; 1 is perfect, 0 is chance.",
    "V-measure": "Mean of homogeneity and completeness of the clusters; 1 is perfect, not adjusted for chance.",
    "probe": "Classifier that was trained on the features.",
    "macro-F1": "F1 score averaged over classes, each of equal weight.",
    "accuracy": "Share of songs whose class is right.",
    "balanced accuracy": "Recall averaged over classes, each of equal weight.",
    "ROC-AUC": "Chance that a song with the tag scores higher than one without; .5 is chance.",
    "PR-AUC": "Area under precision against recall; chance is the share of songs with the tag.",
    "95 % interval": "Bootstrap interval over groups, such as artists.",
    "calibration": "Mean difference between predicted probability and share that is right; lower is better.",
    "p, handcrafted": "Permutation test against the hand-crafted features: chance of such a lead without a difference.",
    "p, random": "Permutation test against the same network before training.",
    "in common": "Time in which the song aligns with the first one of its group.",
    "share": "What is in common, of the shorter of the two songs.",
    "bits that differ": "Of the fingerprints: below 32 % counts as the same audio, different music has about 50 %.",
    "samples": "Correlation of the waveforms where the songs align; 1 is equal up to the level.",
    "offset": "Seconds to add to a time of the first song for the same place in this one.",
    "precision": "Share of the songs put into the class that belong to it.",
    "recall": "Share of the class's songs that were put into it.",
    "F1": "Harmonic mean of precision and recall.",
    "support": "Number of songs of the class.",
}
"""Head of a column to its meaning."""


def meaning(head: str) -> str:
    """Return what a column means, "" where its head says it.

    Example:
        >>> meaning("onsets/s"), meaning("P4 (accuracy)"), meaning("title")
        ('Attacks of notes a second.', 'Share of songs whose class is right.', '')
    """
    inner = head.rpartition("(")[2].removesuffix(")")
    return TERMS.get(head, TERMS.get(inner, ""))


def explained(heads: Iterable[str], known: set[str]) -> list[tuple[str, str]]:
    """Return ``(head, meaning)`` of the columns that have one and are not in ``known``, and add them to it."""
    found = [(head, meaning(head)) for head in heads if head not in known and meaning(head)]
    known.update(head for head, _ in found)
    return found
