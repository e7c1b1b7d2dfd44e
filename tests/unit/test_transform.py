import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import celesta
from celesta.audio import Audio
from celesta.errors import LatentError, UsageError
from celesta.latents import CelReader, Latent
from celesta.variations import (
    VARIATIONS,
    Parameter,
    Step,
    Variation,
    WindowStream,
    apply,
    apply_stream,
    basic,
    morph,
    open_song,
    transform_file,
)


@pytest.fixture(scope="module")
def z():
    x = np.random.default_rng(0).normal(0, 0.2, (2, 250_000)).clip(-1, 1).astype(np.float32)
    return celesta.load("linear-16").encode(Audio(x, 22_050))


def test_identities_change_no_bit(z):
    codec = celesta.load("linear-16")
    plain = codec.decode(z).samples
    same = apply(z, [Step("gain", 1), Step("noise", 0), Step("smooth", 1)])
    assert np.array_equal(codec.decode(same).samples, plain)


def test_gain_on_a_linear_model_is_volume(z):
    codec = celesta.load("linear-16")
    np.testing.assert_allclose(
        codec.decode(basic.gain(z, 1.5)).samples, 1.5 * codec.decode(z).samples, rtol=1e-4, atol=1e-5
    )


def test_noise_is_seeded_and_in_units_of_each_rows_spread(z):
    a, b, c = (basic.noise(z, 0.1, seed) for seed in (7, 7, 8))
    assert np.array_equal(a.base, b.base)
    assert not np.array_equal(a.base, c.base)
    added = (a.base - z.base).std(axis=(0, 3)) / z.base.std(axis=(0, 3))
    np.testing.assert_allclose(added, 0.1, rtol=0.15)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40))
def test_smoothing_keeps_the_frames_and_crosses_window_borders(width):
    x = np.random.default_rng(0).normal(0, 0.2, (1, 250_000)).clip(-1, 1).astype(np.float32)
    z = celesta.load("linear-4").encode(Audio(x, 22_050))
    s = basic.smooth(z, width)
    assert s.base.shape == z.base.shape
    line, smoothed = z.timeline()[0][0, 0], s.timeline()[0][0, 0]
    for t in (0, 1, z.frames - 1, z.frames, len(line) - 1):
        begin, end = max(0, t - width // 2), min(len(line), t - width // 2 + width)
        np.testing.assert_allclose(smoothed[t], line[begin:end].mean(), rtol=1e-4, atol=1e-6)


def test_the_base_alone(music, tmp_path, need_weights):
    """Issue 14, item 26: transform had no way to the base alone."""
    need_weights("nested")
    codec = celesta.load("nested")
    song, cel = tmp_path / "song.wav", tmp_path / "song.cel"
    celesta.audio.write(song, Audio(music(100_000, channels=2), 44_100))
    codec.encode_file(song, cel, kbps=12)
    z = Latent.load(cel)
    sketch = basic.detail(z, 0)
    assert sketch.detail_size == 0
    np.testing.assert_array_equal(sketch.base, z.base)
    wanted = codec.decode(sketch).samples
    np.testing.assert_array_equal(codec.decode(z.replace(values=0 * z.values)).samples, wanted)
    with open_song(codec, cel) as opened:
        np.testing.assert_array_equal(np.concatenate(list(opened.decode([Step("detail", 0)])[1]), axis=1), wanted)
    assert np.abs(wanted - codec.decode(z).samples).max() > 0.01
    assert basic.detail(z, 1) is z
    np.testing.assert_array_equal(basic.detail(z, 0.5).values, 0.5 * z.values)
    with open_song(codec, song) as opened:
        assert opened.stream.has_detail


def test_the_base_alone_needs_both_parts(z):
    with pytest.raises(LatentError, match="no detail"):
        basic.detail(z, 0)
    sparse = celesta.load("sparse-16").encode(Audio(np.ones((1, 5_000), np.float32), 22_050))
    with pytest.raises(LatentError, match="no base"):
        basic.detail(sparse, 0)


def test_morph_ends_at_both(z):
    other = basic.gain(z, 0.25)
    assert morph(z, other, 0) is z
    np.testing.assert_allclose(morph(z, other, 1).base, other.base, rtol=1e-6)
    np.testing.assert_allclose(morph(z, other, 0.5).base, 0.625 * z.base, rtol=1e-5)


def test_wrong_arguments(z):
    for bad in (
        lambda: basic.gain(z, np.inf),
        lambda: basic.noise(z, -1),
        lambda: basic.smooth(z, 0),
        lambda: basic.smooth(z, 1.5),
        lambda: basic.detail(z, np.nan),
        lambda: morph(z, z, 2),
        lambda: basic.noise(z, 1, seed=-1),
        lambda: Step("sing", 1),
        lambda: Step("gain"),
        lambda: Step("gain", 1, 2),
        lambda: Step("gain", 1, factor=2),
        lambda: Step("gain", strength=1),
        lambda: Step("gain", float("nan")),
        lambda: Step("smooth", 2.5),
        lambda: Step("smooth", 0),
        lambda: Step("noise", 0.1, True),
    ):
        with pytest.raises(UsageError):
            bad()
    sparse = celesta.load("sparse-16").encode(Audio(np.ones((1, 5_000), np.float32), 22_050))
    with pytest.raises(LatentError):
        basic.smooth(sparse, 3)


def test_the_table_describes_the_functions():
    """Every parameter in the table is one of the function and of its stream, in this order."""
    for variation in VARIATIONS.values():
        names = [p.name for p in variation.parameters]
        for function in (variation.function, variation.stream):
            assert function is None or list(inspect.signature(function).parameters)[1:] == names
        for p in variation.parameters:
            assert p.default is None or p.checked(p.default) == p.default
        assert variation.options()[0][0] == f"--{variation.name}"


CHAINS = [
    [Step("gain", 1.5)],
    [Step("noise", 0.2, 3)],
    [Step("smooth", 5)],
    [Step("smooth", 500)],
    [Step("gain", 0.5), Step("noise", 0.1, 1), Step("smooth", 4), Step("noise", 0.3, 2)],
]


@pytest.mark.parametrize("steps", CHAINS, ids=lambda steps: "+".join(map(str, steps)))
@pytest.mark.parametrize("name", ["linear-16", "pca-16"])
def test_files_are_changed_as_latents_in_memory_are(name, steps, tmp_path):
    """Issue 14, section 1: window by window, equal bit for bit; from audio and from a .cel file."""
    codec = celesta.load(name)
    x = np.random.default_rng(1).normal(0, 0.1, (2, 300_000)).clip(-1, 1).astype(np.float32)
    song, cel, out = tmp_path / "song.wav", tmp_path / "song.cel", tmp_path / "out.wav"
    celesta.audio.write(song, Audio(x, 22_050), subtype="FLOAT")
    z = codec.encode(song)
    wanted = apply(z, steps)
    for made, window in zip(apply_stream(WindowStream.of_latent(z), steps).windows(), range(z.windows), strict=True):
        np.testing.assert_array_equal(made.base, wanted.base[window])
    z.save(cel, dtype="float32")
    plain = codec.decode(wanted).samples
    for source in (song, cel):
        with open_song(codec, source) as opened:
            _, blocks = opened.decode(steps)
            np.testing.assert_array_equal(np.concatenate(list(blocks), axis=1), plain)
    transform_file(codec, cel, out, steps, start=1.0, stop=2.0)
    assert celesta.audio.info(out).n_samples == 22_050


def test_noise_of_a_coded_file_is_that_of_its_latent(tmp_path, music, need_weights):
    """Windows of a coded file have details of their own sizes; filling them up in memory changes nothing."""
    need_weights("nested")
    codec = celesta.load("nested")
    cel = tmp_path / "song.cel"
    codec.encode_file(Audio(music(600_000, channels=2), 44_100), cel, kbps=24)
    steps = [Step("noise", 0.2, 5), Step("smooth", 3)]
    wanted = apply(Latent.load(cel), steps)
    with CelReader(cel) as reader:
        sizes = set()
        for i, w in enumerate(apply_stream(WindowStream.of_reader(reader), steps).windows()):
            k = w.values.shape[1]
            sizes.add(k)
            np.testing.assert_array_equal(w.base, wanted.base[i])
            np.testing.assert_array_equal(w.values, wanted.values[i, :, :k])
            assert not wanted.values[i, :, k:].any()
    assert len(sizes) > 1
    assert ((wanted.values != 0) == (Latent.load(cel).values != 0)).all()


def test_a_stream_is_read_forwards_only(z):
    from celesta.variations.stream import InOrder

    window = InOrder(WindowStream.of_latent(z))
    window(1)
    with pytest.raises(UsageError, match="passed"):
        window(0)


def test_a_band_envelope_is_scaled_with_the_latent(z):
    """A gain on a latent with an envelope is the product, in memory and window by window."""
    columns = -(-z.frames // 4)
    levels = np.random.default_rng(0).normal(-40, 10, (z.windows, z.channels, 6, columns)).astype(np.float32)
    with_envelope = z.replace(envelope=levels)
    wanted = with_envelope * 0.5
    made = basic.gain(with_envelope, 0.5)
    np.testing.assert_array_equal(made.envelope, wanted.envelope)
    assert not np.array_equal(made.envelope, levels)
    for changed in (basic.noise(with_envelope, 0.1), basic.smooth(with_envelope, 3)):
        np.testing.assert_array_equal(changed.envelope, levels)


def test_a_variation_of_one_function_is_enough_for_files(tmp_path, monkeypatch):
    """A newcomer's variation needs no form that works window by window; the whole latent is held in memory then."""
    flip = Variation(
        "flip", "Turn the sign.", (Parameter("share", float, "How much.", 1.0),), lambda z, share: z * -share
    )
    monkeypatch.setitem(VARIATIONS, "flip", flip)
    codec = celesta.load("linear-16")
    song, cel = tmp_path / "song.wav", tmp_path / "song.cel"
    x = np.random.default_rng(1).normal(0, 0.1, (1, 150_000)).clip(-1, 1).astype(np.float32)
    celesta.audio.write(song, Audio(x, 22_050), subtype="FLOAT")
    z = codec.encode(song)
    z.save(cel, dtype="float32")
    for source in (song, cel):
        with open_song(codec, source) as opened:
            _, blocks = opened.decode([Step("flip", 0.5)])
            made = np.concatenate(list(blocks), axis=1)
        np.testing.assert_allclose(made, -0.5 * codec.decode(z).samples, atol=1e-6)


@pytest.mark.parametrize(
    ("steps", "stretch"),
    [
        ([Step("gain", 0.5)], {}),
        ([Step("gain", 0.5)], {"start": 20.0, "stop": 24.0}),
        ([Step("reverse")], {}),
    ],
)
def test_progress_begins_at_once_and_goes_on_to_the_end(tmp_path, music, steps, stretch):
    """Item 24: nothing was said while a song was read, and while all before a stretch was encoded."""
    celesta.write(tmp_path / "a.wav", celesta.Audio(music(30 * 22_050, sample_rate=22_050), 22_050))
    seen = []
    codec = celesta.load("linear-8")
    transform_file(
        codec, tmp_path / "a.wav", tmp_path / "b.wav", steps, **stretch, progress=lambda *at: seen.append(at)
    )
    assert seen[0][0] < 2
    assert len(seen) >= 8
    assert {total for _, total in seen} == {stretch.get("stop", 30.0)}
    done = [one for one, _ in seen]
    assert done == sorted(done)
    assert done[-1] == pytest.approx(seen[-1][1], abs=0.1)
