from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from celesta.errors import LatentError, UsageError
from celesta.latents.latent import Latent

ARRAYS = ("base", "places", "values", "gain")


def make(
    windows: int = 3, channels: int = 2, latent_dim: int = 4, detail: int = 2, frames: int = 5, seed: int = 0
) -> Latent:
    rng = np.random.default_rng(seed)
    shape = (windows, channels)
    return Latent(
        base=rng.standard_normal((*shape, latent_dim, frames)).astype(np.float32),
        places=rng.integers(0, 1 << 16, (*shape, detail, frames)).astype(np.uint16),
        values=rng.standard_normal((*shape, detail, frames)).astype(np.float32),
        gain=rng.random(shape).astype(np.float32),
        model="sparse",
        weights="ab" * 32,
        sample_rate=22_050,
        hop_length=512,
        window=512 * frames,
        overlap=0,
        source_rate=44_100,
        n_samples=512 * frames * windows * 2 - 3,
        tags={"title": "Für Elise \N{MUSICAL SYMBOL G CLEF}", "artist": ""},
    )


def same(a: Latent, b: Latent) -> None:
    for name in vars(a):
        left, right = getattr(a, name), getattr(b, name)
        if name in ARRAYS:
            assert left.dtype == right.dtype
            np.testing.assert_array_equal(left, right, err_msg=name)
        else:
            assert left == right, name


def test_derived_numbers() -> None:
    z = make()
    assert (z.windows, z.channels, z.latent_dim, z.detail_size, z.frames) == (3, 2, 4, 2, 5)
    assert z.duration == z.n_samples / 44_100
    assert z.floats_per_second == pytest.approx((4 + 2 * 2) * 22_050 / 512)
    assert z.ratio == pytest.approx(8 / 512)
    assert z.continuous


def test_arithmetic() -> None:
    z = make()
    np.testing.assert_array_equal((z * 1.5).base, z.base * np.float32(1.5))
    np.testing.assert_array_equal((z * 1.5).values, z.values * np.float32(1.5))
    same(z * 1.5, 1.5 * z)
    same(z * 1.5, np.float64(1.5) * z)
    same(z * 2, np.int64(2) * z)
    np.testing.assert_array_equal((z / 3).base, z.base / np.float32(3))
    np.testing.assert_array_equal((-z).values, -z.values)
    same(z + z, z * 2)
    assert not (z - z).base.any()
    assert not (z - z).values.any()
    same((z * 1.5).replace(base=z.base, values=z.values), z)


def test_arithmetic_of_dense_latents() -> None:
    a, b = make(detail=0), make(detail=0, seed=1)
    np.testing.assert_array_equal((a + b).base, a.base + b.base)
    np.testing.assert_array_equal((a - b).base, a.base - b.base)


def test_what_does_not_combine_is_refused() -> None:
    z = make()
    with pytest.raises(LatentError, match="do not combine"):
        z + make(windows=2)
    with pytest.raises(LatentError, match="do not combine"):
        z - Latent(**{**vars(z), "model": "other"})
    with pytest.raises(LatentError, match="different places"):
        z + make(seed=1)
    with pytest.raises(UsageError, match="divided by 0"):
        z / 0
    for wrong in ("2", None, np.ones(3)):
        with pytest.raises(TypeError):
            z * wrong  # type: ignore[operator]
        with pytest.raises(TypeError):
            z + wrong  # type: ignore[operator]


def test_truncate_keeps_the_first_rows() -> None:
    z = make()
    cut = z.truncate(latent_dim=1, detail=0)
    assert (cut.latent_dim, cut.detail_size, cut.places.shape) == (1, 0, (3, 2, 0, 5))
    np.testing.assert_array_equal(cut.base, z.base[:, :, :1])
    same(z.truncate(), z)
    for wrong in ({"latent_dim": 5}, {"latent_dim": -1}, {"detail": 3}, {"detail": -1}):
        with pytest.raises(UsageError):
            z.truncate(**wrong)


def test_timeline_joins_windows_frame_by_frame() -> None:
    z = make()
    base, places, values = z.timeline()
    assert (base.shape, places.shape, values.shape) == ((2, 4, 15), (2, 2, 15), (2, 2, 15))
    for window in range(3):
        np.testing.assert_array_equal(base[:, :, window * 5 : window * 5 + 5], z.base[window])
        np.testing.assert_array_equal(places[:, :, window * 5 : window * 5 + 5], z.places[window])


@pytest.mark.parametrize(
    ("name", "shape"), [("base", (3, 2, 4)), ("places", (3, 2, 1, 5)), ("values", (3, 2, 2, 4)), ("gain", (2, 3))]
)
def test_arrays_that_do_not_fit_are_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(LatentError, match="fit"):
        make().replace(**{name: np.zeros(shape, np.float32)})


def test_arrays_become_float32_and_uint16() -> None:
    z = make()
    z = z.replace(base=z.base.astype(np.float64), places=z.places.astype(np.int64), gain=z.gain.astype(np.float64))
    same(z, make())
    for place in (-1, 1 << 16):
        with pytest.raises(LatentError, match="65535"):
            z.replace(places=np.full(z.places.shape, place))


def test_saves_and_loads(tmp_path: Path) -> None:
    z = make()
    z.save(tmp_path / "z.cel", dtype="float32")
    same(Latent.load(tmp_path / "z.cel"), z)
    z.save(tmp_path / "z.cel")  # over the first
    half = Latent.load(tmp_path / "z.cel")
    np.testing.assert_array_equal(half.base, z.base.astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(half.places, z.places)
    assert half.tags == z.tags
    assert [p.name for p in tmp_path.iterdir()] == ["z.cel"]


def test_load_verifies_the_payload(tmp_path: Path) -> None:
    path = tmp_path / "z.cel"
    make().save(path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(LatentError, match=r"z\.cel.*damaged"):
        Latent.load(path)


@settings(deadline=None, max_examples=60)
@given(
    windows=st.integers(1, 4),
    channels=st.integers(1, 3),
    latent_dim=st.integers(0, 5),
    detail=st.integers(0, 3),
    frames=st.integers(1, 9),
    seed=st.integers(0, 1 << 32),
    exponent=st.integers(-40, 37),
    bits=st.one_of(st.none(), st.integers(1, 16)),
    tags=st.dictionaries(st.text(), st.text(), max_size=3),
)
def test_round_trips(
    tmp_path_factory: pytest.TempPathFactory,
    windows: int,
    channels: int,
    latent_dim: int,
    detail: int,
    frames: int,
    seed: int,
    exponent: int,
    bits: int | None,
    tags: dict[str, str],
) -> None:
    if latent_dim + detail == 0:
        latent_dim = 1
    z = make(windows, channels, latent_dim, detail, frames, seed) * 10.0**exponent
    z = Latent(**{**vars(z), "tags": tags})
    path = tmp_path_factory.getbasetemp() / "round_trip.cel"
    z.save(path, bits=bits, dtype="float32" if bits is None else None)
    back = Latent.load(path)
    if bits is None:
        same(back, z)
        return
    same(back.replace(base=z.base, values=z.values), z)
    rows = np.concatenate([z.base, z.values], axis=2).astype(np.float64)
    rebuilt = np.concatenate([back.base, back.values], axis=2)
    spread = rows.max(axis=3, keepdims=True) - rows.min(axis=3, keepdims=True)
    bound = spread / (2**bits - 1) / 2 + 2.0**-21 * np.abs(rows).max(axis=3, keepdims=True) + 1e-40
    assert (np.abs(rebuilt - rows) <= bound).all()
