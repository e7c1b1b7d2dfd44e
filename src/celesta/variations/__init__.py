"""Variations: functions from latents to latents."""
