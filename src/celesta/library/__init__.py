"""A music library by sound in one SQLite file: scan, identity, similarity, duplicates, playlists, search."""
