"""Exported models on disk: a JSON file that describes a model and its graphs, next to the graphs and the weights."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celesta._files import printable
from celesta.errors import ModelError
from celesta.models.info import StoredInfo

FORMAT = "celesta-onnx"
VERSION = 1
MDCT = "mdct"


@dataclass(frozen=True)
class Description:
    """Content of the JSON file.

    Attributes:
        path: the file.
        name: of the model.
        info: sizes and capabilities; None for a network that is no autoencoder.
        weights: name of the weights' file.
        sha256: of the weights' file.
        graphs: SHA-256 of the graph of each function.
        transform: ``mdct`` where graphs go from and to coefficients of :class:`celesta.models.mdct.Mdct`, else "".
        licence: terms of use of the weights.
        facts: what the weights' file says of its training.
        opset: version of ONNX's operators.
    """

    path: Path
    name: str
    info: StoredInfo | None
    weights: str
    sha256: str
    graphs: dict[str, str]
    transform: str
    licence: str
    facts: dict[str, Any]
    opset: int

    @property
    def weights_file(self) -> Path:
        """Path of the weights."""
        return self.path.with_name(self.weights)

    def graph_file(self, function: str) -> Path:
        """Path of the graph of a function.

        Raises:
            ModelError: the function has no graph.
        """
        if function not in self.graphs:
            raise ModelError(f"{self.name}: {function!r} is not exported; load it with backend='torch'")
        return self.path.with_name(f"{self.name}.{function}.onnx")

    def to_json(self) -> str:
        """Return the content of the file."""
        data = {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "licence": self.licence,
            "opset": self.opset,
            "weights": {"file": self.weights, "sha256": self.sha256},
            "graphs": self.graphs,
            "transform": self.transform,
            "model": self.info.to_dict() if self.info else None,
            "facts": self.facts,
        }
        return json.dumps(data, indent=1) + "\n"


def read_description(path: Path) -> Description:
    """Read the description of an exported model.

    Raises:
        ModelError: the file is missing or damaged, or was written by a later version.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise ModelError(f"{printable(path)}: not the description of an exported model")
        if data["version"] != VERSION:
            raise ModelError(f"{printable(path)}: format version {data['version']!r}; this Celesta reads {VERSION}")
        name, weights = data["name"], data["weights"]
        info = StoredInfo(data["model"]) if data["model"] else None
        made = Description(
            path, name, info, weights["file"], weights["sha256"], dict(data["graphs"]), str(data["transform"]),
            str(data["licence"]), dict(data["facts"]), int(data["opset"]),
        )  # fmt: skip
        names = [name, weights["file"], *made.graphs]
    except ModelError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{printable(path)}: damaged description of an exported model ({error!r})") from None
    if not all(isinstance(one, str) and Path(one).name == one for one in names):
        raise ModelError(f"{printable(path)}: names of files must have no folders")
    return made


def find_description(folder: Path) -> Path | None:
    """Return the description in a folder that :func:`celesta.models.export.export_model` wrote; None if it has none."""
    for path in sorted(folder.glob("*.json")):
        if path.with_suffix(".safetensors").is_file() or list(folder.glob(f"{path.stem}.*.onnx")):
            return path
    return None


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
