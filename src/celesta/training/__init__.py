"""Training: one visible loop, batches that are a pure function of seed and step, resumable to the bit."""
