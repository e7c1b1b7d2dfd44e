"""What the latents know: every protocol on every kind of features, the report's classifier, clusters, in one run."""

from celesta.study.study import DEFAULT_KINDS, Study, study

__all__ = ["DEFAULT_KINDS", "Study", "study"]
