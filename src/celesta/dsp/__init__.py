"""Signal processing that several parts use: spectra, loudness, and measures of reconstruction."""
