"""Damage real encoded bytes and read them: run as `python audio_mutations.py FILE FIRST_SEED COUNT`.

A process of its own, so that a crash or a hang of a decoder is seen by the test and doesn't end it. Prints one JSON
object; exits with 1 where something other than a CelestaError or finite samples came out.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

from celesta import audio
from celesta.errors import CelestaError

MEMORY = 3 * 2**30  # bytes of address space: a header that lies must not be believed
HANG = 10.0  # processor seconds for one file, after which the process ends; others may be computing too
KINDS = ("flip", "header", "cut", "zero", "repeat", "insert", "field", "swap")


def mutate(data: bytes, seed: int) -> bytes:
    """One damaged copy, a pure function of (data, seed)."""
    rng = np.random.default_rng(seed)
    out = bytearray(data)
    kind = KINDS[seed % len(KINDS)]
    a, b = sorted(int(i) for i in rng.integers(0, len(out), 2))
    if kind == "flip":
        for place in rng.integers(0, len(out), rng.integers(1, 40)):
            out[place] ^= 1 << int(rng.integers(8))
    elif kind == "header":
        for place in rng.integers(0, min(len(out), 120), rng.integers(1, 6)):
            out[place] = int(rng.integers(256))
    elif kind == "cut":
        del out[a:]
    elif kind == "zero":
        out[a:b] = bytes(b - a)
    elif kind == "repeat":
        out[b:b] = out[a:b]
    elif kind == "insert":
        out[a:a] = rng.integers(0, 256, int(rng.integers(1, 2_000)), dtype=np.uint8).tobytes()
    elif kind == "field":
        place = int(rng.integers(0, min(len(out) - 8, 200)))
        width = int(rng.choice([2, 4, 8]))
        out[place : place + width] = [b"\xff" * width, b"\x00" * width, b"\x7f" + b"\xff" * (width - 1)][
            int(rng.integers(3))
        ]
    else:
        third = max(1, (b - a) // 2)
        out[a : a + 2 * third] = out[a + third : a + 2 * third] + out[a : a + third]
    return bytes(out)


def main(source: Path, first: int, count: int) -> int:
    """Read `count` damaged copies in all the ways that a user may."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    data = source.read_bytes()
    seen = {"read": 0, "warned": 0, "refused": 0}
    bad: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "damaged" + source.suffix)
        for seed in range(first, first + count):
            print(seed, end=" ", file=sys.stderr, flush=True)  # the last one printed is the one that crashed
            path.write_bytes(mutate(data, seed))
            signal.setitimer(signal.ITIMER_PROF, HANG)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    audio.probe(path)
                    samples = audio.read(
                        path, sample_rate=16_000 if seed % 3 == 0 else None, mono=seed % 2 == 0
                    ).samples
                    excerpt = audio.read(path, start=0.05, duration=0.04).samples
                    if not np.isfinite(excerpt).all():
                        bad.append(f"seed {seed}: an excerpt is not finite")
                    for block in audio.stream(path, block=5_000):
                        if not np.isfinite(block).all():
                            bad.append(f"seed {seed}: stream gave samples that are not finite")
                    if samples.dtype != np.float32 or samples.shape[1] == 0 or not np.isfinite(samples).all():
                        bad.append(f"seed {seed}: read gave {samples.dtype} {samples.shape}, not all finite")
                    seen["read"] += 1
                except CelestaError as error:
                    seen["refused"] += 1
                    if "\n" in str(error) or path.name not in str(error):
                        bad.append(f"seed {seed}: message {error!r}")
                except Exception as error:
                    bad.append(f"seed {seed}: {type(error).__name__}: {error}")
                other = [w for w in caught if not issubclass(w.category, audio.AudioWarning)]
                bad += [f"seed {seed}: warning {w.message}" for w in other]
                seen["warned"] += len(caught) > len(other)
    print(json.dumps({**seen, "bad": bad}))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
