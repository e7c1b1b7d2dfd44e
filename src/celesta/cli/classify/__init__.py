"""`celesta classify`: train, use and score classifiers of songs."""
