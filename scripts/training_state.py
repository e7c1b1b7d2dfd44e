"""Keep a training run as a small file, and make a run of such a file that training goes on with.

Run: python scripts/training_state.py pack runs/nested2 training-state/nested2.safetensors
     python scripts/training_state.py unpack training-state/nested2.safetensors runs/nested2 --data cache/free-music
     celesta train --resume runs/nested2
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from celesta.errors import CelestaError
from celesta.training.compact_state import pack, unpack


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("pack", "unpack"))
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--data", help="unpack: folder of the music here")
    args = parser.parse_args()
    try:
        if args.what == "pack":
            step = pack(args.source, args.target)
        else:
            step = unpack(args.source, args.target, args.data)
    except CelestaError as error:
        sys.exit(f"error: {error}")
    print(f"{args.target}: step {step}, {sum(p.stat().st_size for p in _files(args.target)):,} bytes")


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [p for p in path.iterdir() if p.is_file()]


if __name__ == "__main__":
    main()
