"""Latents with a band envelope: in files, in arithmetic, through the codec with any stretch of a song."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from celesta.codec import Codec
from celesta.dsp import band_envelope as bands
from celesta.errors import LatentError
from celesta.latents import CelReader, Latent, envelopes
from celesta.models import registry

RATE = 44_100


@pytest.fixture(scope="module")
def codec() -> Codec:
    torch.manual_seed(0)
    return Codec("nested2", registry.create("nested2"), weights="0" * 64, device="cpu")


@pytest.fixture(scope="module")
def song() -> np.ndarray:
    """Two windows and a bit of stereo noise whose level moves."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 21 * RATE)) * (0.05 + 0.04 * np.sin(np.arange(21 * RATE) / 20_000))
    made: np.ndarray = x.astype(np.float32)
    return made


@pytest.fixture(scope="module")
def latent(codec: Codec, song: np.ndarray) -> Latent:
    return codec.encode(song, RATE)


def test_shapes_and_meaning(latent: Latent) -> None:
    assert latent.envelope is not None
    assert latent.envelope.shape == (3, 2, 2 * bands.BANDS, 108)
    power, rest = np.split(latent.envelope[0], 2, axis=1)
    assert (rest <= power + 1e-3).all()
    # White noise of .05: an orthonormal transform leaves its variance, about -26 dB.
    assert np.abs(power[:, 10:].mean() - 20 * np.log10(0.05)) < 2


def test_files_hold_the_envelope(latent: Latent, tmp_path: Path) -> None:
    assert latent.envelope is not None
    for how in ({"dtype": "float16"}, {"dtype": "float32"}, {"bits": 8}):
        latent.save(tmp_path / "a.cel", **how)  # type: ignore[arg-type]
        with CelReader(tmp_path / "a.cel") as reader:
            assert reader.meta.envelope == 2 * bands.BANDS
        back = Latent.load(tmp_path / "a.cel").envelope
        assert back is not None
        assert np.abs(back - latent.envelope).max() <= 0.04  # float16
    data = bytearray((tmp_path / "a.cel").read_bytes())
    assert b'"envelope":"50"' in data
    broken = bytes(data).replace(b'"envelope":"50"', b'"envelope":"49"')
    (tmp_path / "b.cel").write_bytes(broken)
    with pytest.raises(LatentError, match="damaged"):
        Latent.load(tmp_path / "b.cel")


def test_a_stretch_is_what_decoding_all_gives_there(codec: Codec, latent: Latent, song: np.ndarray) -> None:
    whole = codec.decode(latent).samples
    assert whole.shape == song.shape
    part = codec.decode(latent, start=9.5, stop=11.25).samples
    np.testing.assert_allclose(part, whole[:, round(9.5 * RATE) : round(11.25 * RATE)], atol=1e-5)


def test_decoded_noise_has_the_power_of_the_song(codec: Codec, latent: Latent, song: np.ndarray) -> None:
    bare = codec.decode(latent.truncate(detail=0)).samples
    assert np.abs(20 * np.log10(bare.std() / song.std())) < 0.5


def test_louder_latents_are_louder(codec: Codec, latent: Latent) -> None:
    assert latent.envelope is not None
    louder = 2 * latent
    assert louder.envelope is not None
    sounding = latent.envelope > bands.FLOOR_DB
    np.testing.assert_allclose(louder.envelope[sounding], latent.envelope[sounding] + 6.0206, atol=1e-3)
    assert (louder.envelope[~sounding] == bands.FLOOR_DB).all()
    assert np.array_equal((latent + latent).places, latent.places)
    summed = (latent + latent).envelope
    assert summed is not None
    np.testing.assert_allclose(summed[sounding], latent.envelope[sounding] + 3.0103, atol=1e-3)


def test_an_edited_envelope_is_a_tone_control(codec: Codec, latent: Latent) -> None:
    assert latent.envelope is not None
    bare = latent.truncate(detail=0)
    assert bare.envelope is not None
    softer = bare.envelope.copy()
    softer[:, :, 15 : bands.BANDS] -= 20
    softer[:, :, bands.BANDS + 15 :] -= 20
    before, after = (codec.decode(z).samples for z in (bare, bare.replace(envelope=softer)))
    edge = round(bands.EDGES[15] / 1024 * len(np.fft.rfft(before[0])))
    high = [np.abs(np.fft.rfft(x[0]))[round(1.2 * edge) :].std() for x in (before, after)]
    assert 17 < 20 * np.log10(high[0] / high[1]) < 23


def test_what_truncation_drops_is_left_out(latent: Latent) -> None:
    assert latent.envelope is not None
    fewer = latent.truncate(detail=5)
    none = latent.truncate(detail=0)
    assert fewer.envelope is not None
    assert none.envelope is not None
    power, rest = np.split(none.envelope, 2, axis=2)
    # With nothing kept all of a band's power is left out, within the rounding of both indices.
    assert np.abs(rest - power)[power > -90].max() < 1.5 * bands.STEP_DB
    assert np.isfinite(fewer.envelope).all()
    untouched = envelopes.without(latent.envelope, latent.places, latent.values, latent.detail_size)
    np.testing.assert_allclose(untouched, latent.envelope)


def test_an_envelope_of_another_shape_is_refused(latent: Latent) -> None:
    assert latent.envelope is not None
    with pytest.raises(LatentError, match="envelope"):
        latent.replace(envelope=latent.envelope[..., :-1])


def test_silence_stays_silent(codec: Codec) -> None:
    z = codec.encode(np.zeros(RATE, np.float32), RATE)
    assert z.envelope is not None
    assert (z.envelope == bands.FLOOR_DB).all()
    assert np.all(envelopes.scaled(z.envelope, 100.0) == bands.FLOOR_DB)
    assert np.abs(codec.decode(z).samples).max() < 1e-6
