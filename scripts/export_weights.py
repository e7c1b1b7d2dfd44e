"""Export the networks that ship as ONNX graphs, next to their weights: run it after weights change.

Run: python scripts/export_weights.py [MODEL ...]
"""

from __future__ import annotations

import argparse

from celesta.features.contrastive import NAME as CONTRAST
from celesta.models import contrast, registry
from celesta.models.export import export_model, export_network
from celesta.models.licences import RESEARCH
from celesta.models.weights import FOLDER


def export_contrast() -> None:
    weights = FOLDER / f"{CONTRAST}.safetensors"
    network = contrast.load_contrast(weights)
    facts = {"state_sha256": contrast.state_hash(network)}
    export_network(CONTRAST, network, weights, FOLDER, RESEARCH, facts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    networks = [entry.name for entry in registry.shipped() if entry.sized is None]
    parser.add_argument("models", nargs="*", default=[*networks, CONTRAST], help="default: all that ship")
    for name in parser.parse_args().models:
        if name == CONTRAST:
            export_contrast()
        else:
            export_model(name, FOLDER)
        print(f"{name}: {sum(file.stat().st_size for file in FOLDER.glob(f'{name}.*.onnx')) / 1e6:.1f} MB of graphs")


if __name__ == "__main__":
    main()
