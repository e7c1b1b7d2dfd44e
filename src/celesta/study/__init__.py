"""The study: every protocol on every feature, the 2024 report's classifier and clusters, in one run."""

from celesta.study.methods import HEADS, Method
from celesta.study.result import Study, controls_of
from celesta.study.study import DEFAULT_FEATURES, study

__all__ = ["DEFAULT_FEATURES", "HEADS", "Method", "Study", "controls_of", "study"]
