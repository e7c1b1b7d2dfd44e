"""Terms of use of every weights file that ships."""

from __future__ import annotations

from dataclasses import dataclass

from celesta._files import printable
from celesta._names import suggestion
from celesta.errors import UsageError

USES = ("commercial", "research")
"""What weights are used for; research may use all of them."""
ALL_WEIGHTS = "research"
APACHE = "Apache-2.0 (trained on freely licensed music)"
RESEARCH = "research use only (trained on GTZAN and 4QAED)"
ISC = "ISC (by Jordi Pons)"
COMMERCIAL = (APACHE, ISC)
"""Terms that allow commercial use."""
SHORT = {APACHE: "Apache-2.0", RESEARCH: "research only", ISC: "ISC"}
"""The terms in two words."""


@dataclass(frozen=True)
class WeightsLicence:
    """Terms of one weights file.

    Attributes:
        file: its name in the weights folder.
        use: what reads it.
        licence: terms of use.
    """

    file: str
    use: str
    licence: str

    @property
    def short(self) -> str:
        """The terms in two words, for tables; :data:`SHORT` says what they stand for."""
        return SHORT[self.licence]

    @property
    def commercial(self) -> bool:
        """Whether the terms allow commercial use."""
        return self.licence in COMMERCIAL


LICENCES = tuple(
    WeightsLicence(f"{name}.safetensors", use, licence)
    for name, use, licence in (
        ("nested2", "the codec, default model", APACHE),
        ("nested2-bits", "tables of the codec's entropy coding", APACHE),
        ("nested", "the codec before nested2", APACHE),
        ("nested-bits", "tables of its entropy coding", APACHE),
        ("musicnn-msd", "features musicnn-msd and musicnn", ISC),
        ("musicnn-mtt", "features musicnn-mtt and musicnn", ISC),
        ("cel-lr", "model", RESEARCH),
        ("cel-silu", "model", RESEARCH),
        ("cel-2", "model", RESEARCH),
        ("cel-3", "model", RESEARCH),
        ("pca-64", "models pca-K", RESEARCH),
        ("celesta-ssl", "features celesta-ssl and blends with it", RESEARCH),
        ("predict-genre", "predictor", RESEARCH),
        ("predict-mood", "predictor", RESEARCH),
        ("predict-tags", "predictor", RESEARCH),
    )
)
"""One entry for each weights file; those of models in training may be missing."""


def check_use(use: str | None) -> None:
    """Refuse what is neither None nor one of :data:`USES`.

    Raises:
        UsageError: it is another word.
    """
    if use not in (None, *USES):
        raise UsageError(f"--licence {printable(use)}: {suggestion(use or '', USES)}")


def allowed(use: str) -> frozenset[str]:
    """Return the names of the weights files, without suffix, that may be used so.

    Example:
        >>> "nested2" in allowed("commercial"), "predict-genre" in allowed("commercial")
        (True, False)
    """
    every = (one for one in LICENCES if one.commercial or use == ALL_WEIGHTS)
    return frozenset(one.file.removesuffix(".safetensors") for one in every)
