"""Loading, saving and describing a codec: the methods that model hubs know by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from celesta._files import atomic, printable
from celesta._version import __version__
from celesta.errors import ModelError, UsageError

if TYPE_CHECKING:
    from celesta.codec.codec import Codec
    from celesta.codec.network import WindowNetwork
    from celesta.models.base import Model

CONFIG = "config.json"
_CARD = """---
library_name: celesta
pipeline_tag: audio-to-audio
license: {licence}
tags:
- celesta
- music
- audio-codec
- autoencoder
- feature-extraction
---
# {name}

{description}

```python
import celesta

codec = celesta.Codec.from_pretrained("THIS_FOLDER")
z = codec.encode("song.mp3")
celesta.write("back.flac", codec.decode(z))
```

| | |
|---|---|
| sample rate | {sample_rate} Hz |
| latent | {latent_dim} dense channels and {detail_size} sparse coefficients per frame, {frame_rate:.1f} frames/s |
| terms of the weights | {terms} |
"""


class Pretrained:
    """What a codec does with folders of models.

    Attributes:
        name: what was loaded.
        weights: SHA-256 of the weights' file.
        network: the model.
        files: weights and, where it was exported, description and graphs.
    """

    name: str
    weights: str
    network: WindowNetwork
    files: tuple[Path, ...] = ()

    @classmethod
    def from_pretrained(
        cls, name: str | Path, *, device: str = "auto", precision: str = "float32", backend: str = "auto"
    ) -> Codec:
        """Load a codec by the name of a model or from a folder; see :func:`celesta.load`."""
        from celesta.codec.loading import load

        return load(name, device=device, precision=precision, backend=backend)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the model to a folder: weights as safetensors, ``config.json``, a card, and its graphs if it has them.

        The weights are copied byte for byte, so latents of the saved model are decoded by this one and the reverse.

        Args:
            folder: made where it does not exist; files of the same names are replaced.

        Returns:
            The folder.

        Raises:
            ModelError: a file cannot be written.

        Example:
            >>> import celesta
            >>> folder = celesta.load("linear-16").save_pretrained("my-codec")
            >>> sorted(file.name for file in folder.iterdir())
            ['README.md', 'config.json']
        """
        target = Path(folder)
        try:
            target.mkdir(parents=True, exist_ok=True)
            names = []
            for file in self.files:
                names.append(f"{self._title}.safetensors" if file.name == "best.safetensors" else file.name)
                if file.resolve() != (target / names[-1]).resolve():
                    with atomic(target / names[-1], ModelError) as temporary:
                        shutil.copyfile(file, temporary)
        except OSError as error:
            raise ModelError(f"{printable(target)}: cannot be written ({error.strerror})") from None
        weights = next((name for name in names if name.endswith(".safetensors")), None)
        config = {
            "model_type": "celesta",
            "celesta_version": __version__,
            "name": self._title,
            "weights": weights,
            "config": self.config,
        }
        for name, text in ((CONFIG, json.dumps(config, indent=1) + "\n"), ("README.md", self._card())):
            with atomic(target / name, ModelError) as temporary:
                temporary.write_text(text, encoding="utf-8")
        return target

    @property
    def config(self) -> dict[str, Any]:
        """The model's configuration as numbers, strings and lists, with its ``kind``."""
        from celesta.models import registry

        stored = self.network.model.config
        return dict(stored) if isinstance(stored, dict) else registry.config_to_dict(stored)

    @property
    def torch_model(self) -> Model:
        """The model as a module of PyTorch, in inference mode.

        Raises:
            UsageError: the codec was not loaded with ``backend="torch"``.
        """
        if self.backend != "torch":
            raise UsageError(f"{self.name}: its network is run by ONNX Runtime or NumPy; load it with backend='torch'")
        return cast("Model", self.network.model)

    @property
    def backend(self) -> str:
        """What computes: ``torch`` or ``onnx``."""
        return self.network.runtime.backend

    @property
    def _title(self) -> str:
        return Path(self.name).resolve().name if Path(self.name).is_dir() else self.name

    def _card(self) -> str:
        from celesta.models import registry

        m = self.network.model
        described = {"description": "A model trained with Celesta.", "terms": "those of its training data"}
        try:
            entry = registry.entry(self._title)
            described = {"description": f"{entry.description}.", "terms": entry.weights_licence or "Apache-2.0"}
        except ModelError:
            pass
        licence = "apache-2.0" if described["terms"].startswith("Apache-2.0") else "other"
        return _CARD.format(
            name=self._title,
            licence=licence,
            sample_rate=m.sample_rate,
            latent_dim=m.latent_dim,
            detail_size=m.detail_size,
            frame_rate=m.frame_rate,
            **described,
        )
