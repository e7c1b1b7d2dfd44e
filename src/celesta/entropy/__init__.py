"""Range coding of quantised latents."""
