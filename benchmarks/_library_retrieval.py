"""Score the neighbours of a library: precision at 5 by genre and by artist, with controls and intervals."""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _bars import bar

from celesta.audio import find_audio
from celesta.datasets import gtzan, qaed
from celesta.library import Library, Song
from celesta.library.block_table import BLOCKS, analysis_version, references
from celesta.library.neighbours import DEFAULT_WEIGHTS
from celesta.library.space import Space, Weights, occurrence_skew, top
from celesta.library.store import Store
from celesta.probes.statistics import bootstrap_weights, central_95

NEIGHBOURS = 5
SYSTEMS = {
    "default weights": DEFAULT_WEIGHTS.of,
    "musicnn alone (style)": {"style": 1.0},
    "hand-crafted (timbre, rhythm, harmony, loudness)": {
        "timbre": 1.0, "rhythm": 0.5, "harmony": 0.5, "loudness": 0.2,
    },
    "timbre alone": {"timbre": 1.0},
}  # fmt: skip
"""Name to weights of the blocks; next to them: random vectors, and the default weights without mutual proximity."""


@dataclass(frozen=True, eq=False)
class Collection:
    """Songs with what they are judged by.

    Attributes:
        name: of the collection.
        paths: of the songs.
        blocks: name to ``(songs, D)``.
        labels: of each song: genres, or what stands for them; two songs agree where one is shared.
        artists: of each song; "" where unknown.
    """

    name: str
    paths: list[Path]
    blocks: Mapping[str, np.ndarray]
    labels: list[set[str]]
    artists: list[str]


def read_blocks(store: Store) -> dict[str, dict[str, np.ndarray]]:
    """Return path to block to its numbers, of all analysed songs of a library."""
    found: dict[str, dict[str, np.ndarray]] = {}
    sql = (
        "SELECT f.path, v.name, v.data FROM vectors v JOIN recordings r ON r.id = v.recording"
        " JOIN files f ON f.recording = r.id WHERE r.analysis = ? ORDER BY f.path"
    )
    for path, name, data in store.rows(sql, (analysis_version(store.licence),)):
        found.setdefault(os.fsdecode(path), {})[name] = np.frombuffer(data, "<f2").astype(np.float32)
    return found


def collection(name: str, judged: Mapping[Path, tuple[set[str], str]], vectors: Mapping[str, Mapping[str, np.ndarray]]):
    """Join the labels and artists of files with their vectors; files without vectors are left out."""
    paths = [path for path in sorted(judged) if os.path.abspath(path) in vectors]
    rows = [vectors[os.path.abspath(path)] for path in paths]
    blocks = {block: np.stack([row[block] for row in rows]) for block in BLOCKS}
    return Collection(name, paths, blocks, [judged[path][0] for path in paths], [judged[path][1] for path in paths])


def judged_gtzan(folder: Path, lists: Path | None) -> dict[Path, tuple[set[str], str]]:
    """GTZAN's excerpts of the fault-filtered lists: genre and artist."""
    tracks = [track for track in gtzan(folder, lists) if track.split != "faulty"]
    return {track.path: ({track.label}, "" if track.group == track.id else track.group) for track in tracks}


def judged_qaed(folder: Path) -> dict[Path, tuple[set[str], str]]:
    """4QAED: genres of AllMusic, several a song, and the group of artists."""
    return {
        track.path: ({one.strip() for one in track.extra["genres"].split(";")} - {""}, track.group)
        for track in qaed(folder)
    }


def judged_free(folder: Path, songs: Mapping[str, Song]) -> dict[Path, tuple[set[str], str]]:
    """The free music: the package in place of a genre (a game's music is of one kind), and the artist by the tags."""
    files = [Path(path) for path in songs if Path(path).is_relative_to(os.path.abspath(folder))]
    return {file: ({file.parent.name}, songs[str(file)].artist.casefold()) for file in files}


def ranked(space: Space, weights: Weights, *, mutual: bool = True) -> Callable[[int], np.ndarray]:
    """Return the function from a song to the scores of all songs."""
    if mutual:
        return lambda song: space.similarities_of(song, weights)
    shares = weights.checked(space.names)
    points = np.concatenate([np.sqrt(share) * space.points[:, space.places[b]] for b, share in shares.items()], axis=1)
    return lambda song: -((points - points[song]) ** 2).sum(axis=1)


def precision(songs: Collection, scores: Callable[[int], np.ndarray], *, by_artist: bool) -> tuple[np.ndarray, ...]:
    """Precision at 5 of each query, and the queries. By genre, songs of the query's artist are left out.

    By artist, queries are the songs whose artist has others; their best possible precision is returned third.
    """
    artists, found, queries, best = np.array(songs.artists), [], [], []
    for query in range(len(artists)):
        same = (artists == artists[query]) & (artists[query] != "")
        same[query] = False
        if by_artist and not same.any():
            continue
        values = np.array(scores(query), np.float64)
        values[query] = -np.inf
        if not by_artist:
            values[same] = -np.inf
        near = [row for row in top(values, NEIGHBOURS).tolist() if np.isfinite(values[row])]
        good = [bool(same[row]) if by_artist else not songs.labels[query].isdisjoint(songs.labels[row]) for row in near]
        found.append(np.mean(good))
        queries.append(query)
        best.append(min(1.0, same.sum() / NEIGHBOURS))
    return np.array(found), np.array(queries), np.array(best)


def interval(values: np.ndarray, groups: np.ndarray, seed: int = 0) -> tuple[float, float, float]:
    """Mean over queries and its 95 % interval by a bootstrap over groups (artists)."""
    names, number = np.unique(groups, return_inverse=True)
    weights = bootstrap_weights(len(names), seed=seed)
    sums, counts = np.bincount(number, values), np.bincount(number)
    return float(values.mean()), *central_95((weights @ sums) / (weights @ counts))


def report(songs: Collection, seed: int) -> None:
    """Print the table of one collection."""
    space = Space(songs.blocks, references())
    rng = np.random.default_rng(seed)
    noise = Space({"random": rng.standard_normal((space.songs, 64)).astype(np.float32)})
    systems = {name: ranked(space, Weights(of)) for name, of in SYSTEMS.items()}
    systems["default weights, plain distances"] = ranked(space, DEFAULT_WEIGHTS, mutual=False)
    systems["random vectors"] = ranked(noise, Weights({"random": 1.0}))
    groups = np.array([artist or f"song {i}" for i, artist in enumerate(songs.artists)])
    print(f"\n{songs.name}: {space.songs} songs, {len(set(groups))} artists, seed {seed}")
    print("| vectors | precision@5, genre | precision@5, artist | hubness |\n| --- | --- | --- | --- |")
    by_genre = {}
    for name, scores in systems.items():
        cells = []
        for by_artist in (False, True):
            values, queries, best = precision(songs, scores, by_artist=by_artist)
            if len(values) < 10:
                cells.append("-")
                continue
            mean, low, high = interval(values, groups[queries])
            if not by_artist:
                by_genre[name] = values, groups[queries]
            possible = f" of {best.mean():.3f}, {len(values)} songs" if by_artist else ""
            cells.append(f"{mean:.3f} [{low:.3f}, {high:.3f}]{possible}")
        near = [[row for row in top(scores(song), 11).tolist() if row != song][:10] for song in range(space.songs)]
        cells.append(f"{occurrence_skew(np.array(near), space.songs):.2f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    bars(by_genre)


def bars(by_genre: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Say whether the default weights are as good as the taggers alone, and better than hand-crafted numbers."""
    default, *others = list(SYSTEMS)[:3]
    if default not in by_genre:
        return
    values, groups = by_genre[default]
    for other in others:
        mean, low, high = interval(values - by_genre[other][0], groups)
        print(f"by genre, {default} less {other}: {mean:+.3f} [{low:+.3f}, {high:+.3f}]")
        better = other.startswith("hand-crafted")
        bar(f"{default} {'better than' if better else 'not worse than'} {other}", low > 0 if better else high >= 0)


def few_songs(songs: Collection, count: int, draws: int, seed: int) -> None:
    """Print precision by genre in libraries of few songs, with the reference's statistics and without."""
    rng = np.random.default_rng(seed)
    kept: dict[str, list[float]] = {"with the reference": [], "the library's statistics alone": [], "all songs": []}
    everything = ranked(Space(songs.blocks, references()), DEFAULT_WEIGHTS)
    for _ in range(draws):
        rows = np.sort(rng.choice(len(songs.artists), min(count, len(songs.artists)), replace=False))
        part = Collection(
            songs.name,
            [songs.paths[row] for row in rows],
            {name: block[rows] for name, block in songs.blocks.items()},
            [songs.labels[row] for row in rows],
            [songs.artists[row] for row in rows],
        )
        for name, known in (("with the reference", references()), ("the library's statistics alone", None)):
            scores = ranked(Space(part.blocks, known), DEFAULT_WEIGHTS)
            kept[name].append(float(precision(part, scores, by_artist=False)[0].mean()))
        inside = precision(part, lambda song, rows=rows: everything(int(rows[song]))[rows], by_artist=False)
        kept["all songs"].append(float(inside[0].mean()))
    print(f"\n{songs.name}, libraries of {count} songs, {draws} draws: precision@5 by genre")
    for name, values in kept.items():
        low, high = central_95(np.array(values))
        print(f"| statistics: {name} | {np.mean(values):.3f} [{low:.3f}, {high:.3f}] |")


def collections(args: argparse.Namespace) -> list[Collection]:
    """Analyse the collections into a library, which goes on where it ended, and return them.

    Of a folder, at most ``args.most`` songs drawn at random are analysed.
    """
    with Library(args.library) as library:
        for folder in (args.gtzan, args.qaed, args.free) if not args.as_is else ():
            if folder:
                files = find_audio(folder)
                library.add(*random.Random(args.seed).sample(files, min(args.most, len(files))), workers=args.workers)
        known = {str(song.path): song for song in library.search()} if args.free else {}
    with Store(args.library) as store:
        vectors = read_blocks(store)
    judged: dict[str, dict[Path, tuple[set[str], str]]] = {}
    if args.gtzan:
        judged["GTZAN, fault-filtered"] = judged_gtzan(args.gtzan, args.lists)
    if args.qaed:
        judged["4QAED"] = judged_qaed(args.qaed)
    if args.free:
        judged["free music (genre: the package)"] = judged_free(args.free, known)
    return [collection(name, files, vectors) for name, files in judged.items()]


def retrieval(args: argparse.Namespace) -> None:
    """Print the tables of the collections."""
    for songs in collections(args):
        report(songs, args.seed)
        few_songs(songs, 30, 20, args.seed)
