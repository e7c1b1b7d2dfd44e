"""Probes: what labels can be read from vectors of songs."""
