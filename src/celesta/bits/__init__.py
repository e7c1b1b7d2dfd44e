"""The codec's latents as bits: whole numbers, range-coded with static integer tables."""
