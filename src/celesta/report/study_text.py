"""Sentences of a study's page: what the features are, how scores were made, and which controls are not beaten."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from celesta.models import registry
from celesta.models.registry import Role
from celesta.study import Method, Study, controls_of

CHANCE = 0.05
"""P-value from which a lead is called possibly due to chance."""
BASELINE = "latent:linear-64"
"""The linear latent that every other latent is compared with."""
_BASELINES = tuple(f"latent:{entry.name}" for entry in registry.shipped(Role.BASELINE))

DESCRIPTIONS = {
    "celesta-features": "musicnn (MSD and MTT: outside weights that were trained on genre words), hand-crafted, rhythm",
    "musicnn": "MSD_musicnn alone (outside weights that were trained on genre words)",
    "celesta-ssl": "trained here without labels and without outside weights",
    "celesta-unlabelled": "mean of celesta-ssl, and hand-crafted: no labels, no outside weights",
    "handcrafted": "control: MFCC, deltas, chroma, contrast, centroid, ...",
    "latent:nested2": "base, band envelope and spectrum of the detail coefficients of the codec; free music only",
    "latent:nested": "the codec's base and the spectrum of its detail coefficients; trained on free music only",
    "latent:": "latent of a trained autoencoder",
    "latent-random:": "control: the same network before training",
    "layers:": "statistics of every layer of a trained encoder, not of its latent alone",
    "layers-random:": "control: the same layers before training",
}
"""Name of features, or its prefix, to a description."""

_GENERAL = (
    "A latent's vector is the mean, the standard deviation and the mean size of the frame-to-frame change of each "
    "channel over the song (for sparse models the mean and standard deviation of the log energy in 64 bands). Vectors "
    "are standardised inside the fold, each feature is clipped at 8 standard deviations, and the blocks of joined "
    "features have fixed weights, whatever their sizes. 'chosen' is the better of logistic regression and a radial "
    "SVM with their strengths, chosen by three folds of the training rows that keep groups whole; one temperature "
    "from those folds calibrates its probabilities. Tags have nothing to choose: the mean of a logistic regression "
    "and an SVM each. Intervals resample whole groups (artists; recordings in P10); p-values (against hand-crafted "
    "features, and for a latent or layers against the network with random weights) exchange whole groups between the "
    "predictions of two models."
)
_METHODS: dict[Method, str] = {
    Method.LATE_AND_CHOSEN: (
        f"'{Method.LATE}' trains musicnn's last hidden layer further inside every training fold, with a new output "
        f"layer; '{Method.LATE_AND_CHOSEN}' is the mean of its probabilities and the chosen probe's. Neither chooses "
        "anything under the protocol: epochs and learning rates are those chosen for cross."
    ),
    Method.LATE_AND_COPIES: (
        f"Under cross, '{Method.COPIES}' is a calibrated logistic regression that also trains on an augmented copy of "
        f"each clip (band limit, other coder, other level); '{Method.LATE_COPIES}' trains musicnn's last hidden layer "
        "further on the same. Settings were ranked by folds of the training collection alone. "
        f"'{Method.TRANSDUCTIVE}' standardises each collection by its own mean and standard deviation: it sees the "
        "scored songs, without labels, and is listed apart for that reason."
    ),
}


def description(name: str) -> str:
    """Describe features by their name."""
    if name in _BASELINES:
        return "control: a signal-processing baseline on MDCT coefficients"
    return DESCRIPTIONS.get(name, DESCRIPTIONS.get(f"{name.partition(':')[0]}:", ""))


def methods(study: Study) -> Iterable[str]:
    """Yield paragraphs on how the study's scores were made."""
    yield _GENERAL
    used = {result.probe for result in study.results}
    yield from (text for method, text in _METHODS.items() if method in used)


def comparison(study: Study, name: str, protocols: Sequence[str]) -> str:
    """Say which controls features do not beat, in scores and in clusters, and which leads may be due to chance."""
    best = study.chosen()
    controls = controls_of(name) + ([BASELINE] if name.startswith("latent:") and name != BASELINE else [])
    controls = [control for control in controls if any(c == control for _, c in best)]
    if not controls:
        return f"{name} has no control here; add handcrafted to the features."
    lost: list[str] = []
    unsure: list[str] = []
    for control in controls:
        both = [p for p in protocols if (p, name) in best and (p, control) in best]
        ahead = [p for p in both if best[p, name].score > best[p, control].score]
        behind = [p for p in both if p not in ahead] + _behind_in_clusters(study, name, control)
        chance = [p for p in ahead if study.p_values.get((p, name, control), 0.0) >= CHANCE]
        if behind:
            lost.append(f"{control} under {', '.join(behind)}")
        if chance:
            unsure.append(f"{control} under {', '.join(chance)}")
    said = f"{name} does not beat {'; nor '.join(lost)}." if lost else f"{name} beats all of its controls."
    return said + (f" Its lead may be chance (p >= {CHANCE}) over {'; '.join(unsure)}." if unsure else "")


def _behind_in_clusters(study: Study, name: str, control: str) -> list[str]:
    """Spaces in which K-Means fits the labels no better with these features than with the control."""
    behind = []
    for space in ("PCA(2)", "PCA(20)"):
        ami = [
            [c.ami or 0.0 for c in study.clusterings.get(one, []) if c.method == "kmeans" and c.space == space]
            for one in (name, control)
        ]
        if all(ami) and np.mean(ami[0]) <= np.mean(ami[1]):
            behind.append(f"K-Means on {space}")
    return behind
