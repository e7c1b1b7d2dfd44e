"""Exported models run by ONNX Runtime and NumPy, without torch."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from celesta import _device
from celesta._environment import defaults
from celesta._files import printable
from celesta.errors import ModelError, UsageError
from celesta.models import weights
from celesta.models.mdct_numpy import fit_length, inverse_mdct, mdct
from celesta.models.runtime import NO_ENVELOPE, ArrayRuntime, Arrays, DecoderInput, Network, dense
from celesta.models.stored import MDCT, Description, file_hash

if TYPE_CHECKING:
    import onnxruntime

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_importing = threading.Lock()


def engine() -> ModuleType:
    """Import ONNX Runtime without its telemetry.

    Its official builds report sessions over the network and keep an identifier of the machine under ``~/.cache``,
    unless a variable is set when it is imported. Who imported it before, or set the variable, has decided otherwise.
    """
    with _importing:
        if "onnxruntime" in sys.modules:
            return sys.modules["onnxruntime"]
        with defaults(ORT_DISABLE_TELEMETRY="1", ORT_TELEMETRY_DISABLED="1") as undecided:  # depends on the version
            import onnxruntime
        if undecided:
            onnxruntime.disable_telemetry_events()
        module: ModuleType = onnxruntime
        return module


def _linked_weights(graph: Path) -> dict[str, bytes]:
    """Read weights that are a symbolic link, as in caches of packages: the engine refuses to follow one."""
    files = graph.parent.glob("*.safetensors")
    return {f.name: f.read_bytes() for f in files if f.is_symlink() and graph.name.startswith(f"{f.stem}.")}


class GraphNetwork:
    """An ONNX graph as a :class:`~celesta.models.runtime.Network`.

    A session is made for each number of threads that is asked for, see :func:`celesta._device.threads`.

    Args:
        path: the graph; its weights are in a file next to it.
        device: ``cpu`` or ``cuda``.

    Raises:
        ModelError: on use, where the graph is damaged.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        self.path = path
        self._provider = _PROVIDERS[device.partition(":")[0]]
        self._sessions: dict[int, onnxruntime.InferenceSession] = {}
        self._lock = threading.Lock()
        self._linked = _linked_weights(path)  # kept, for the engine does not copy them

    def run(self, **inputs: np.ndarray | int) -> Arrays:
        """Compute outputs of inputs; inputs that the graph does not have are left out."""
        session = self._session()
        wanted = [one.name for one in session.get_inputs()]
        missing = [name for name in wanted if name not in inputs]
        if missing:
            raise ModelError(f"{printable(self.path)}: needs {missing[0]!r}, and the latent has none")
        feeds = {name: _array(inputs[name]) for name in wanted}
        names = [one.name for one in session.get_outputs()]
        return dict(zip(names, session.run(names, feeds), strict=True))

    def _session(self) -> onnxruntime.InferenceSession:
        count = _device.thread_count()
        with self._lock:
            if count not in self._sessions:
                self._sessions[count] = self._opened(count)
            return self._sessions[count]

    def _opened(self, threads: int) -> onnxruntime.InferenceSession:
        runtime = engine()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            for name, data in self._linked.items():
                options.add_external_initializers_from_files_in_memory([name], [data], [len(data)])
            session: onnxruntime.InferenceSession = runtime.InferenceSession(
                str(self.path), options, providers=[self._provider]
            )
            return session
        except Exception as error:  # ONNX Runtime's errors have no common base
            line = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ModelError(f"{printable(self.path)}: cannot be run ({line}); export it again") from None


class ExportedRuntime(ArrayRuntime):
    """A model with a dense latent whose encoder and decoder are graphs from audio and to audio.

    Args:
        found: the description of the exported model.
        device: ``cpu``, or ``cuda`` where ONNX Runtime has it.
    """

    def __init__(self, found: Description, device: str = "cpu") -> None:
        if found.info is None:
            raise ModelError(f"{found.name}: no autoencoder")
        super().__init__(found.info)
        self._found, self.device, self.stored_numbers = found, device, found.info.stored_numbers
        self._graphs = {name: GraphNetwork(found.graph_file(name), device) for name in found.graphs}

    def function(self, name: str) -> Network:
        """Return a graph, or a method, as a network."""
        return self._graphs.get(name) or super().function(name)

    def encode(self, x: np.ndarray) -> Arrays:
        """Encode signals ``(B, 1, T)`` to the parts of the latent."""
        short = self.model.hop_length - x.shape[-1]
        x = np.pad(x, ((0, 0), (0, 0), (0, short))) if short > 0 else x
        return dense(self._graphs["encode"].run(x=x)["base"])

    def decode(self, given: DecoderInput) -> np.ndarray:
        """Decode to ``(B, 1, length)``."""
        length = max(given.length, self.model.hop_length)
        made = self._graphs["decode"].run(base=given.base, length=length, start=given.start)["out"]
        return fit_length(made, given.length)


class MdctRuntime(ExportedRuntime):
    """A model whose graphs go from and to MDCT coefficients; the transform itself is NumPy's."""

    def mdct(self, x: np.ndarray) -> np.ndarray:
        """Compute coefficients ``(B, F, bands)`` of signals ``(B, T)``."""
        return mdct(x, self.model.hop_length)

    def inverse(self, c: np.ndarray, length: int) -> np.ndarray:
        """Compute signals ``(B, length)`` of coefficients ``(B, F, bands)``."""
        return inverse_mdct(c, length)

    def encode(self, x: np.ndarray) -> Arrays:
        """Encode signals ``(B, 1, T)`` to the parts of the latent."""
        made = self._graphs["encode"].run(x=x, c=self.mdct(x[:, 0]))
        return {"envelope": NO_ENVELOPE, **made}

    def decode(self, given: DecoderInput) -> np.ndarray:
        """Decode to ``(B, 1, length)``, also from fewer base channels or coefficients than the full number."""
        parts = given._asdict()
        if given.envelope is None or not given.envelope.size:
            del parts["envelope"]
        return self.inverse(self._graphs["decode"].run(**parts)["out"], given.length)[:, None]


def create(found: Description, device: str = "cpu") -> ExportedRuntime:
    """Create the runtime of an exported model; its weights and graphs are verified.

    Raises:
        ModelError: a file is missing, or its hash is not the one that the description names.
        UsageError: the device is none of ONNX Runtime's.
    """
    verify(found, device)
    return (MdctRuntime if found.transform == MDCT else ExportedRuntime)(found, device)


def create_network(found: Description, function: str, device: str = "cpu") -> GraphNetwork:
    """Return one exported function of a network that is no autoencoder; raises as :func:`create`."""
    verify(found, device)
    return GraphNetwork(found.graph_file(function), device)


def verify(found: Description, device: str) -> None:
    """Check the files of an exported model, and that ONNX Runtime has the device; raises as :func:`create`."""
    if _PROVIDERS.get(device.partition(":")[0]) not in engine().get_available_providers():
        raise UsageError(
            f"device {device!r} is not available to ONNX Runtime here; use device='cpu' or backend='torch'"
        )
    if weights.read(found.weights_file, advice="fetch or export it again").sha256 != found.sha256:
        raise ModelError(f"{printable(found.weights_file)}: other weights than those that {found.name} was exported of")
    for name, digest in found.graphs.items():
        path = found.graph_file(name)
        if not path.is_file() or file_hash(path) != digest:
            raise ModelError(f"{printable(path)}: missing or damaged graph; export it again")


def _array(value: np.ndarray | int) -> np.ndarray:
    return value if isinstance(value, np.ndarray) else np.array(value, np.int64)
