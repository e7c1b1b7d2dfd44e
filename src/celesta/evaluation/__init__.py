"""How well models reconstruct, and at which bitrate: scores, rate-distortion curves, coding of latents."""
