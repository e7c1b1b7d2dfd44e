"""The interface without a browser: comparisons, variations, jobs, library, random requests, many clients."""

import itertools
import json
import threading
import time

import numpy as np
import pytest
from random_requests import Requests

from celesta import codec
from celesta.audio import read
from celesta.dsp import metrics
from celesta.errors import UsageError
from celesta.evaluation.listening import abx_p_value, band_errors, matching_gain
from celesta.studio import commands
from celesta.studio.codecs import Codecs
from celesta.studio.comparing import ladder
from celesta.studio.jobs import Cancelled, Jobs
from celesta.studio.pieces import decode_in_pieces
from celesta.studio.renders import Renders

# ---- measures


def test_abx_p_values_are_binomial_tails():
    assert abx_p_value(5, 5) == pytest.approx(1 / 32)
    assert abx_p_value(0, 7) == 1
    assert abx_p_value(12, 16) == pytest.approx(0.0384, abs=1e-4)
    for bad in ((-1, 3), (4, 3), (0, 0)):
        with pytest.raises(UsageError):
            abx_p_value(*bad)


def test_the_error_of_a_band_is_that_of_its_octave():
    rate = 44_100
    t = np.arange(rate) / rate
    low, high = np.sin(2 * np.pi * 250 * t)[None], np.sin(2 * np.pi * 4_000 * t)[None]
    found = dict(band_errors(low + high, low + 0.9 * high, rate))
    assert found[4_000] == pytest.approx(-20, abs=0.1)
    assert found[250] < -60
    assert 16_000 not in found or found[16_000] <= 0


def test_the_matching_gain_gives_equal_loudness(music):
    x = music(88_200, 2)
    level, gain = matching_gain(x, 0.25 * x, 44_100)
    assert gain == pytest.approx(12.04, abs=0.05)
    assert metrics.loudness(0.25 * x * 10 ** (gain / 20), 44_100) == pytest.approx(
        metrics.loudness(x, 44_100), abs=0.05
    )
    assert level == pytest.approx(metrics.loudness(0.25 * x, 44_100))
    assert matching_gain(x, 0 * x, 44_100)[1] == 0


@pytest.mark.parametrize("name", ["nested", "nested2", "linear-64"])
@pytest.mark.parametrize("first", [0, 123_457])
def test_pieces_decode_to_the_audio_of_the_whole(name, first, songs, need_weights):
    if not name.startswith("linear"):
        need_weights(name)
    model = codec.load(name)
    x = read(songs / "long.wav", start=1, duration=4)
    z = model.encode(x)
    blocks = list(decode_in_pieces(model, z, first))
    assert len(blocks) > 2
    assert blocks[0].shape[1] < 0.8 * x.sample_rate
    got, wanted = np.roll(np.concatenate(blocks, axis=1), first, axis=1), model.decode(z).samples
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() < 1e-4


def test_selections_in_memory_are_bounded(songs, monkeypatch):
    codecs = Codecs()
    a, b = (codecs.selection(songs / "long.wav", t, t + 1, "linear-8") for t in (0, 1))
    assert codecs.selection(songs / "long.wav", 0, 1, "linear-8") is a
    monkeypatch.setattr("celesta.studio.codecs._MOST_BYTES", 2 * a.size)
    codecs.selection(songs / "long.wav", 2, 3, "linear-8")
    assert codecs.selection(songs / "long.wav", 0, 1, "linear-8") is a
    assert codecs.selection(songs / "long.wav", 1, 2, "linear-8") is not b


# ---- jobs and renders


def test_jobs_report_finish_fail_and_are_cancelled():
    seen = []
    jobs = Jobs(lambda job: seen.append((job.id, job.state, job.share)), workers=1)

    def slow(report):
        for i in range(10_000):
            report(i, 10_000)
            time.sleep(0.002)

    first = jobs.start("a", "slow", slow)
    waiting = jobs.start("b", "never", lambda report: 1)
    jobs.cancel(waiting)
    assert waiting.state == "cancelled"
    time.sleep(0.05)
    jobs.cancel(first)
    good = jobs.start("c", "good", lambda report: {"x": 1})
    bad = jobs.start("d", "bad", lambda report: (_ for _ in ()).throw(UsageError("no such thing")))
    end = time.monotonic() + 10
    while not (bad.finished and good.finished) and time.monotonic() < end:
        time.sleep(0.01)
    assert (first.state, good.state, good.result, bad.state, bad.note) == (
        "cancelled", "done", {"x": 1}, "failed", "no such thing",
    )  # fmt: skip
    assert any(one[0] == first.id and one[2] for one in seen)
    jobs.close()
    assert not issubclass(Cancelled, Exception)  # so that no `except Exception` on the way swallows it


def test_renders_are_bounded_and_deleted_with_the_studio(music):
    from celesta.audio import Audio

    renders = Renders(most_bytes=100_000)
    x = Audio(music(10_000), 44_100)
    made = [renders.samples(x, f"{i}") for i in range(5)]
    assert [renders.get(one.id) is not None for one in made] == [False, False, False, True, True]
    assert (renders.load(made[-1]).samples == x.samples).all()
    assert renders.converted(made[-1], "flac").path.read_bytes()[:4] == b"fLaC"
    with pytest.raises(UsageError, match="choose one of"):
        renders.converted(made[-1], "exe")
    renders.close()
    assert not renders.folder.exists()


# ---- over HTTP


def test_a_comparison_gives_audio_and_the_figures_of_the_package(studio, songs):
    choices = [{"model": "linear-64"}, {"model": "linear-8", "bits": 8}, {"model": "no-such-model"}]
    answer = studio.post("/compare", song="0/long.wav", start=1, stop=3, choices=choices)
    job = studio.result(answer)
    assert job["state"] == "done"
    result = job["result"]
    assert [one["name"] for one in result["versions"]] == ["linear-64", "linear-8 8 bits"]
    assert "no-such-model" in result["failures"][0]["error"]
    x = read(songs / "long.wav", start=1, duration=2)
    y = codec.load("linear-64").decode(codec.load("linear-64").encode(x))
    _, headers, body = studio.get("/render", id=result["versions"][0]["render"])
    got = np.frombuffer(body, "<f4").reshape(int(headers["x-celesta-channels"]), -1)
    assert (got == y.samples).all()
    assert result["versions"][0]["si_sdr"] == pytest.approx(metrics.si_sdr(x.samples, y.samples))
    assert result["versions"][0]["mel"] == pytest.approx(metrics.mel_distance(x.samples, y.samples, 44_100))
    assert result["command"].startswith("celesta compare linear-64 linear-8")
    flac = studio.get("/render", id=result["versions"][0]["render"], format="flac")
    assert flac[2][:4] == b"fLaC"
    assert "attachment" in flac[1]["content-disposition"]


@pytest.mark.filterwarnings("ignore::celesta.errors.LatentWarning")
@pytest.mark.parametrize("name", ["nested", "nested2"])
def test_the_ladder_goes_from_the_base_alone_to_the_top(name, songs, need_weights):
    """The first step is the smallest file that there is, and each has the size that is shown."""
    need_weights(name)
    x, codecs = read(songs / "long.wav", start=1, duration=4), Codecs()
    high, low = ladder(codecs, x, name, rungs=(1, 1.1, 64))
    assert high.kbps == pytest.approx(64, rel=0.05)
    assert low.si_sdr < high.si_sdr - 10
    least = 8 * len(codecs.get(name).compress(x, channels=1, tags=False)) / 4_000
    assert low.kbps <= 1.03 * least < 4
    assert (high.choice.channels, low.choice.channels) == (None, 1)
    command = commands.truncate(songs / "long.wav", name, 64, 1.1, 1)
    assert command.endswith(f"celesta truncate long-{name}-64.cel --kbps 1.1 --channels 1 -o long-{name}-1.1.cel")


def test_too_long_and_empty_selections_are_refused(studio):
    choices = [{"model": "linear-64"}]
    assert (
        "empty"
        in studio.json(studio.post("/compare", song="0/long.wav", start=20, stop=30, choices=choices), 422)["error"]
    )
    answer = studio.post("/vary/preview", song="0/long.wav", start=0, stop=2, model="linear-64",
                         steps=[{"name": "gain", "settings": {"factor": 1e9}}])  # fmt: skip
    assert "factor" in studio.json(answer, 422)["error"]
    assert studio.post("/vary/prepare", song="0/long.wav", start=0, stop=2, model="/etc")[0] == 409


def test_what_a_studio_can_do_comes_from_the_tables(studio):
    from celesta.models import registry
    from celesta.variations import VARIATIONS

    state = studio.json(studio.get("/state"))
    assert [one["name"] for one in state["models"]] == [one.name for one in registry.shipped()]
    assert {one["name"] for one in state["variations"]} <= set(VARIATIONS)
    assert {"gain", "noise", "smooth"} <= {one["name"] for one in state["variations"]}


def test_events_tell_of_jobs(studio):
    import http.client

    connection = http.client.HTTPConnection(studio.host, studio.port, timeout=20)
    connection.request("GET", "/api/events", headers={"cookie": f"celesta_studio_{studio.port}={studio.token}"})
    stream = connection.getresponse()
    assert stream.getheader("content-type").startswith("text/event-stream")
    name = studio.json(studio.post("/compare", song="0/short.flac", start=0, stop=1, choices=[{"model": "linear-8"}]))[
        "job"
    ]
    states = []
    while "done" not in states:
        line = stream.fp.readline().decode()
        if line.startswith("data: ") and json.loads(line[6:])["id"] == name:
            states.append(json.loads(line[6:])["state"])
    assert states[0] == "waiting"
    connection.close()


def test_a_library_is_listed_searched_and_explained(library_studio, songs):
    _, client = library_studio
    info = client.json(client.get("/library"))
    assert (info["songs"], info["analysed"]) == (5, 5)
    rows = client.json(client.get("/library/songs"))["songs"]
    long = next(one for one in rows if one["title"] == "long")
    assert long["seconds"] == pytest.approx(16, abs=0.1)
    assert client.json(client.get("/song", song=long["ref"]))["library_id"] == long["id"]
    similar = client.json(client.get("/library/similar", id=long["id"]))
    assert len(similar["found"]) == 4
    assert all(0 <= one["similarity"] <= 1 for one in similar["found"])
    assert similar["command"].startswith("celesta similar ")
    by_file = client.json(client.get("/library/similar", song="0/long.wav", start=0, stop=5, n=2))
    assert len(by_file["found"]) == 2
    assert "--from 0 --to 5" in by_file["command"]
    ids = [one["id"] for one in rows]
    made = client.json(client.post("/library/playlist", start=ids[0], end=ids[1], n=3))
    assert made["songs"][0]["id"] == ids[0]
    assert made["songs"][-1]["id"] == ids[1]
    pieces = client.json(client.get("/library/segments", id=long["id"]))["segments"]
    assert pieces[0]["start"] == 0
    assert pieces[-1]["stop"] == pytest.approx(16, abs=0.1)
    assert all(a["stop"] == b["start"] for a, b in itertools.pairwise(pieces))
    whole = client.json(client.get("/library/map"))
    assert sorted(whole["ids"]) == sorted(ids)
    assert len(whole["cluster"]) == len(ids)
    assert all(0 <= x <= 1 for x in (*whole["x"], *whole["y"]))
    made = client.json(client.post("/library/playlist", seeds=ids[:1], n=50))
    assert made["notes"]  # there are not so many
    plane = client.json(client.get("/library/map", x="tempo", y="loudness"))
    assert sorted(plane["ids"]) == sorted(ids)
    assert all(0 <= x <= 1 for x in (*plane["x"], *plane["y"]))
    assert client.get("/library/songs", tempo="fast")[0] == 422
    assert client.get("/library/similar", id=10**9)[0] in (404, 409)
    assert b"XSPF" in client.post("/library/export", ids=ids, format="xspf")[2].upper()


def test_duplicates_are_aligned_to_the_sample(library_studio):
    """The copy has 3 s of silence before the music; both directions give the same line."""
    _, client = library_studio
    found = client.result(client.post("/library/duplicates"))["result"]
    (pair,) = found["pairs"]
    names = {one["id"]: one["title"] for group in found["groups"] for one in group}
    assert sorted(names.values()) == ["copy", "long"]
    asked = {name: pair[name] for name in ("first", "second", "offset", "speed", "start", "stop")}
    made = client.json(client.get("/library/align", **asked))
    sign = 1 if names[pair["first"]] == "long" else -1
    assert made["offset"] == pytest.approx(3 * sign, abs=1e-3)
    assert made["speed"] == 1
    assert client.get("/library/align", **{**asked, "first": 10**9})[0] == 404
    assert client.get("/library/align", **{**asked, "start": 9e5, "stop": 9e5})[0] in (200, 409)


def test_random_requests_never_make_the_server_fail(library_studio):
    """A small part of `benchmarks/studio.py random`, which makes 10 000."""
    _, client = library_studio
    made = Requests(client.json(client.get("/openapi.json")), seed=1)
    failed = []
    for number, (method, target, body, headers) in enumerate(made):
        if number == 250:
            break
        status, _, answer = client.raw(method, target, body, headers)
        if status >= 500 and status != 501:
            failed.append((method, target, body, status, answer[:300]))
    assert failed == []


def test_many_clients_at_once_get_what_they_ask_for(studio, songs):
    """A small part of `benchmarks/studio.py clients`."""
    whole = studio.get("/wav", song="0/short.flac")[2]
    problems = []

    def ask(seed):
        rng = np.random.default_rng(seed)
        for _ in range(4):
            a = int(rng.integers(0, len(whole) - 2_000))
            got = studio.raw("GET", "/api/wav?song=0/short.flac", headers={"range": f"bytes={a}-{a + 999}"})
            if got[0] != 206 or got[2] != whole[a : a + 1_000]:
                problems.append(got[0])
            if studio.get("/waveform", song="0/long.wav", start=0, stop=16, bins=500)[0] != 200:
                problems.append("waveform")

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(20)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert problems == []
