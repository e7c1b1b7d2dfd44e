"""The latent of a song and the .cel file that holds it."""
