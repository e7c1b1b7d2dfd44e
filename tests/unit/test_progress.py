"""Progress of the command line: estimates that hold, and times that can be read in one way only."""

from __future__ import annotations

import itertools

import pytest

from celesta.cli import progress
from celesta.cli.pace import Pace
from celesta.cli.progress import Meter, span
from celesta.evaluation import schedule
from celesta.evaluation.schedule import Schedule


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for module in (progress.time, schedule.time):
        monkeypatch.setattr(module, "monotonic", made)
    return made


def test_a_resumed_run_estimates_by_its_own_steps(clock: Clock) -> None:
    """Issue 14, item 24: step 5970 of 40000 after 51 s gave 5 min 22 s, and the estimate grew while the run ran."""
    meter = Meter("train")
    meter._pace = Pace(clock)
    meter._began = clock.time
    meter.doing("compiling")
    clock.time += 40
    estimates = []
    for step in range(5_970, 7_000, 2):
        meter.steps("loss 0.1", step, 40_000)
        if meter._pace.left() is not None:
            estimates.append((meter._pace.left(), (40_000 - step) / 2))
        if step % 400 == 0:
            meter.doing("validating")
        clock.time += 1
    assert len(estimates) > 500
    assert all(left == pytest.approx(true, rel=0.02) for left, true in estimates[1:])


@pytest.mark.parametrize("cached", [0, 300])
def test_what_was_cached_does_not_count_for_long(clock: Clock, cached: int) -> None:
    """Issue 14, item 24: 300 songs from the cache in a second, then 2 s a song."""
    pace = Pace(clock)
    for number in range(1, 501):
        clock.time += 0.003 if number <= cached else 2
        pace.at(number / 500)
        left = pace.left()
        if number > cached + 20:
            assert left == pytest.approx(2 * (500 - number), abs=20)


def test_the_estimate_counts_down_between_reports_and_grows_when_work_stalls(clock: Clock) -> None:
    pace = Pace(clock)
    assert pace.left() is None
    for share in (0.0, 0.1, 0.2):
        pace.at(share)
        clock.time += 10
    assert pace.left() == pytest.approx(70)
    clock.time += 5
    assert pace.left() == pytest.approx(65)
    clock.time += 300
    assert pace.left() > 1_000
    pace.at(0.1)  # other work
    assert pace.left() is None


def test_models_of_different_speed_do_not_make_the_estimate_jump(clock: Clock) -> None:
    """Issue 14, item 24: compare and demo counted steps, whatever their length.

    Three files through a fast and a slow model and then the slow curves: the share of the time is right to a tenth
    from the second file on.
    """
    speeds = {"fast": 0.1, "slow": 1.0}
    tasks = [*((name, 10.0) for _ in range(3) for name in speeds), *((name, 180.0) for name in speeds)]
    seen: list[tuple[float, float]] = []
    began, whole = clock.time, sum(size * speeds[name] for name, size in tasks)
    made = Schedule(tasks, lambda text, done, total: seen.append((done / total, (clock.time - began) / whole)))
    for name, size in tasks:
        made.begin(name)
        clock.time += size * speeds[name]
    made.finish()
    assert [share for share, _ in seen] == sorted(share for share, _ in seen)
    assert all(share == pytest.approx(true, abs=0.1) for share, true in seen[3:])
    assert seen[-1] == (1.0, pytest.approx(1.0))


def test_tasks_that_are_left_out_are_not_waited_for(clock: Clock) -> None:
    shares: list[float] = []
    made = Schedule([("a", 1.0)] * 4, lambda text, done, total: shares.append(done))
    made.begin("1")
    clock.time += 1
    made.skip(2)
    made.begin("4")
    clock.time += 1
    made.finish()
    assert shares == [0.0, 0.5, 1.0]


def test_lines_say_seconds_total_and_time_left(clock: Clock) -> None:
    """Issue 14, item 24: no time that could be hours or minutes."""
    meter = Meter("encode")
    meter._pace, meter._began = Pace(clock), clock.time
    items = meter.each(["a.wav", "b.wav"])
    next(items)
    for done in range(0, 400, 40):
        meter.seconds(done, 400)
        clock.time += 100
    assert meter.line() == "file 1/2, 6:00/6:40, 16 min 40 s elapsed, 16 min 40 s left"
    meter.closing("writing the page")
    clock.time += 500
    assert meter.line() == "file 1/2, 6:00/6:40, 25 min 0 s elapsed"
    names = itertools.chain(items)
    assert next(names) == "b.wav"


def test_the_first_block_of_many_is_no_estimate(clock: Clock) -> None:
    """A model that compiles for 11 s before its first block gave 25 min for a song that took 20 s."""
    pace = Pace(clock)
    pace.at(0)
    clock.time += 11
    pace.at(0.007)
    assert pace.left() is None
    clock.time += 1
    pace.at(0.1)
    assert pace.left() == pytest.approx(108)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (267, "4 min 27 s"),
        (3_599.9, "1 h 0 min"),
        (16_020, "4 h 27 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_times_have_units(seconds: float, text: str) -> None:
    """Issue 14, item 24: "4:27 left" could be hours or minutes."""
    assert span(seconds) == text
