"""A music library by audio in one SQLite file: scan, identity, similarity, search, playlists, map."""

from celesta.library.duplicates import Duplicates
from celesta.library.library import Library
from celesta.library.neighbours import Similar
from celesta.library.playlist import Playlist
from celesta.library.playlist_files import write_playlist
from celesta.library.positions import SongMap
from celesta.library.records import Song
from celesta.library.results import AddResult, FileError, LibraryStatus
from celesta.library.store import command_for, default_path

__all__ = [
    "AddResult",
    "Duplicates",
    "FileError",
    "Library",
    "LibraryStatus",
    "Playlist",
    "Similar",
    "Song",
    "SongMap",
    "command_for",
    "default_path",
    "write_playlist",
]
