"""Ship the weights of a run of the codec with the bit tables that were fitted to them.

Run: python scripts/fit_enveloped.py runs/nested2 --shards cache/free-music --out bits.safetensors
     python scripts/ship_codec.py runs/nested2 bits.safetensors
     python scripts/export_weights.py

Output: src/celesta/weights/nested2.safetensors (half precision) and nested2-bits.safetensors (integers).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from celesta.entropy.table_file import FILES, FOLDER, read_tables
from celesta.latents.window import ENVELOPE_ROWS
from celesta.models import weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("tables", type=Path)
    args = parser.parse_args()
    tables = read_tables(args.tables)
    trained = weights.read(args.run / "best.safetensors")
    weights.write(FOLDER / FILES[ENVELOPE_ROWS], tables.arrays(), {})
    weights.write(weights.FOLDER / "nested2.safetensors", weights.in_half(trained.tensors), trained.metadata)
    for name in ("nested2.safetensors", FILES[ENVELOPE_ROWS]):
        print(f"{name}: {(FOLDER / name).stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
