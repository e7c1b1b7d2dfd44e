"""The command as a process: encodings, pipes, signals, exit codes, progress."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import celesta
from celesta._files import printable
from celesta.audio import Audio, Writer, find_audio, write
from celesta.cli.files import Kind, plan

NAME = os.fsdecode(b"b\xe9\x1b[31m.wav")
SHOWN = r"b\xe9\x1b[31m.wav"
RUN = """
import os, sys
from celesta.cli.main import app
for line in sys.stdin.buffer.read().split(b"\\n\\n"):
    arguments = [os.fsdecode(part) for part in line.split(b"\\n") if part]
    try:
        app(arguments)
    except SystemExit as end:
        print(f"== {arguments[0]} {end.code}", flush=True)
"""


@pytest.fixture
def labelled(tmp_path, music):
    """Two classes of short songs, one with a name that is not UTF-8 and holds a terminal's escape sequence."""
    for seed, (label, name) in enumerate((("x", "a.wav"), ("x", NAME), ("y", "c.wav"), ("y", "d.wav"))):
        (tmp_path / "music" / label).mkdir(parents=True, exist_ok=True)
        write(tmp_path / "music" / label / name, Audio(music(33_075, sample_rate=22_050, seed=seed), 22_050))
    return tmp_path / "music"


@pytest.mark.parametrize(
    "env",
    [
        {"LANG": "en_US.UTF-8"},
        {"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "utf-8:strict"},
        {"LANG": "C", "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_a_name_that_is_no_text_in_every_verb(env, labelled, tmp_path):
    """Item 4: escaped in all output, in every locale; pages and JSON survive it."""
    song, out = labelled / "x" / NAME, tmp_path / "out"
    model = ("-m", "linear-8")
    cel = out / "cels" / "x" / f"{NAME[:-4]}.cel"
    cache = ("--cache", tmp_path / "cache", "-f", "handcrafted")
    calls = [
        ("encode", labelled, *model, "-o", out / "cels"),
        ("verify", out / "cels"),
        ("info", song, cel),
        ("info", song, cel, "--json"),
        ("decode", out / "cels", "-o", out / "back"),
        ("reconstruct", song, *model, "-o", out / "r"),
        ("transform", song, *model, "--gain", "2", "-o", out / "t"),
        ("compare", "linear-8", "--data", labelled, "-o", out / "c", "--no-rate-distortion", "--seconds", "1"),
        ("cluster", "--data", labelled, "-o", out / "k", *cache),
        ("classify", "train", "--data", labelled, "-o", out / "m.safetensors", *cache),
        ("classify", "predict", song, "-m", out / "m.safetensors", "-o", out / "p"),
        ("classify", "predict", song, "-m", out / "m.safetensors", "-o", out / "p", "--csv"),
    ]
    calls = calls if "LC_ALL" in env else calls[:7]  # the verbs print by the same functions: all of them in one locale
    text = b"\n\n".join(b"\n".join(os.fsencode(str(part)) for part in one) for one in calls)
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=text,
        capture_output=True,
        env={**os.environ, "CELESTA_CACHE": str(tmp_path / "cache"), **env},
        timeout=300,
        check=False,
    )
    stdout, stderr = (stream.decode("ascii", "backslashreplace") for stream in (done.stdout, done.stderr))
    assert "Traceback" not in stderr, stderr
    assert [line for line in stdout.splitlines() if line.startswith("== ")] == [f"== {c[0]} 0" for c in calls], stderr
    assert SHOWN in stdout
    assert b"\xe9" not in done.stdout + done.stderr
    assert b"\x1b" not in done.stdout + done.stderr
    found = [json.loads(line) for line in stdout.splitlines() if line.startswith("{")]
    assert [one["source"].rpartition("/")[2] for one in found] == ["b\\xe9\x1b[31m.wav", "b\\xe9\x1b[31m.cel"]
    for page in out.rglob("*.html"):
        page.read_text(encoding="utf-8")
    for file in [*out.rglob("*.json"), *out.rglob("*.jsonl")]:
        for part in [file.read_text(encoding="utf-8")] if file.suffix == ".json" else file.read_text().splitlines():
            json.loads(part)


def test_what_scripts_read_is_not_wrapped(tmp_path, music, call, monkeypatch):
    """Item 14: paths longer than 80 columns stay on one line."""
    monkeypatch.setenv("COLUMNS", "80")
    folder = tmp_path / ("long name " * 12)
    folder.mkdir()
    write(folder / "song.wav", Audio(music(9_000), 44_100))
    (page,) = call("reconstruct", folder / "song.wav", "-m", "linear-8", "-o", folder).stdout.splitlines()
    assert page == str(folder / "song.wav.linear-8.html")
    assert os.path.exists(page)
    (line,) = call("encode", folder / "song.wav", "-m", "linear-8").stdout.splitlines()
    assert line.startswith(f"{folder / 'song.wav'} -> {folder / 'song.cel'}  ")
    assert call("verify", folder).stdout == f"{folder / 'song.cel'}: OK\n"


@pytest.fixture(scope="module")
def long(tmp_path_factory, music):
    """A folder with a long song and its latent."""
    folder = tmp_path_factory.mktemp("long")
    block = music(44_100 * 10, channels=2)
    with Writer(folder / "long.wav", 44_100, 2) as writer:
        for _ in range(36):
            writer.write(block)
    celesta.load("linear-8").encode_file(folder / "long.wav", folder / "long.cel")
    return folder


def progress_lines(process):
    """Read lines of progress until one has the seconds of audio done."""
    lines = []
    for line in process.stderr:
        lines.append(line.decode())
        if "/6:00" in lines[-1]:
            return lines
    raise AssertionError(lines)


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("verb", ["encode", "decode"])
def test_a_signal_leaves_no_temporary_files(verb, how, code, long, tmp_path, start):
    """Item 17."""
    source = {"encode": "long.wav", "decode": "long.cel"}[verb]
    out = tmp_path / "out"
    process = start(verb, long / source, "-o", "out", *(("-m", "cel-3") if verb == "encode" else ()), cwd=tmp_path)
    while process.poll() is None and not (out.is_dir() and os.listdir(out)):
        time.sleep(0.01)  # until there is something to leave behind
    process.send_signal(how)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code, stderr
    assert b"Traceback" not in stderr
    assert list(out.iterdir()) == []


def test_library_calls_leave_the_signals_alone():
    """Item 17: handlers are the command's, and only while it runs."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    celesta.load("linear-8")
    assert {number: signal.getsignal(number) for number in before} == before


def test_the_command_restores_the_process(call):
    """Handlers, warnings and streams are as they were after a call."""
    import warnings

    before = signal.getsignal(signal.SIGTERM), warnings.showwarning, list(warnings.filters), sys.stdout.errors
    call("models")
    after = signal.getsignal(signal.SIGTERM), warnings.showwarning, list(warnings.filters), sys.stdout.errors
    assert after == before


def test_a_closed_pipe_is_no_traceback(tmp_path, start):
    process = start("models", cwd=tmp_path)
    process.stdout.close()
    stderr = process.stderr.read()
    assert process.wait(60) == 141, stderr
    assert b"Traceback" not in stderr
    process.stderr.close()


def test_a_full_disk_is_one_line_with_a_reason():
    """Item 16: the message is not empty."""
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "celesta.cli.main", "models"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert b"No space left on device" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_planning_is_linear_in_the_number_of_files(tmp_path, monkeypatch):
    """Item 17: the file system is asked a bounded number of times per file, however many there are."""
    counts = {}
    for n in (100, 1_000):
        folder = tmp_path / str(n)
        folder.mkdir()
        for i in range(n):
            (folder / f"{i}.wav").write_bytes(b"")
        asked = 0
        for name in ("lexists", "stat", "samefile"):
            real = getattr(os.path if name != "stat" else os, name)

            def counting(*args, real=real, **kwargs):
                nonlocal asked
                asked += 1
                return real(*args, **kwargs)

            monkeypatch.setattr(os.path if name != "stat" else os, name, counting)
        began = time.process_time()
        made = plan([folder], tmp_path / f"out{n}", Kind((".cel",), ".cel", find_audio), force=False)
        spent = time.process_time() - began
        monkeypatch.undo()
        assert len(made.targets) == n
        counts[n] = (asked, spent)
    assert counts[1_000][0] <= 11 * counts[100][0] + 100
    assert counts[1_000][1] <= 30 * max(counts[100][1], 0.01)


def test_progress_says_seconds_total_and_time_left(long, tmp_path, start):
    """Item 24: within seconds of the start, on lines of their own where there is no terminal."""
    process = start("encode", long / "long.wav", "-o", "x.cel", "-m", "cel-3", cwd=tmp_path)
    lines = progress_lines(process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert " elapsed, " in lines[-1]
    assert lines[-1].rstrip().endswith(" left")
    assert "? left" not in lines[-1]


def test_printable_names():
    assert printable(NAME) == SHOWN
