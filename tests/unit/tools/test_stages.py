"""The runner of stages counts what happened, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "stages.py"


def run(tmp_path: Path, *stages: str, ci: bool = False) -> tuple[int, str]:
    """Exit code and last line."""
    env = {key: value for key, value in os.environ.items() if key != "CI"}
    if ci:
        env["CI"] = "true"
    command = [sys.executable, str(TOOL), "--reports", str(tmp_path), "--lane", *stages]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip().splitlines()[-1]


def test_counts_commands_and_tests(tmp_path: Path) -> None:
    """A command is one check; a pytest run is as many as its JUnit file says."""
    suite = tmp_path / "test_three.py"
    suite.write_text("def test_a(): pass\ndef test_b(): pass\ndef test_c(): assert 0\n", encoding="utf-8")
    pytest_stage = f"tests||{sys.executable} -m pytest -q -p no:cacheprovider -c /dev/null --junitxml={{junit}} {suite}"
    assert run(tmp_path, "good||true", "bad||false", pytest_stage) == (1, "3 passed, 2 failed, 0 skipped")


def test_failed_tests_are_named_at_the_end(tmp_path: Path) -> None:
    """The last lines are often all that is kept of a run: they say which tests failed, and with what message."""
    suite = tmp_path / "test_two.py"
    suite.write_text("def test_a(): assert not 'a reason'\ndef test_b(): pass\n", encoding="utf-8")
    stage = f"tests||{sys.executable} -m pytest -q -p no:cacheprovider -c /dev/null --junitxml={{junit}} {suite}"
    command = [sys.executable, str(TOOL), "--reports", str(tmp_path), "--lane", stage]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    named = done.stdout.split("\nfailed:\n")[1].splitlines()
    assert named[0].strip().startswith("tests: ")
    assert "test_two::test_a: AssertionError: assert not 'a reason'" in named[0]
    assert named[1:] == ["", "1 passed, 1 failed, 0 skipped"]


@pytest.mark.parametrize(
    ("ci", "expected"), [(False, (0, "1 passed, 0 failed, 1 skipped")), (True, (1, "1 passed, 1 failed, 0 skipped"))]
)
def test_what_cannot_run_is_skipped_but_not_in_ci(tmp_path: Path, ci: bool, expected: tuple[int, str]) -> None:
    """A missing program is a reason to skip on a desk, and a failure where nothing may be skipped."""
    assert run(tmp_path, "good||true", "odd|no-such-program|true", ci=ci) == expected


def test_nothing_run_is_a_failure(tmp_path: Path) -> None:
    """Green without a single check would be a lie."""
    assert run(tmp_path, "odd|no-such-program|true")[0] == 1


def test_a_runner_that_dies_is_a_failure(tmp_path: Path) -> None:
    """No JUnit file, no success."""
    assert run(tmp_path, f"tests||{sys.executable} -c pass {{junit}}") == (1, "0 passed, 1 failed, 0 skipped")


def test_a_runner_that_dies_while_it_writes_is_a_failure(tmp_path: Path) -> None:
    """Half a JUnit file is none, and the stages after it run."""
    half = tmp_path / "half.sh"
    half.write_text("printf '<testsuites><testsuite tests=' > \"$1\"\n", encoding="utf-8")
    assert run(tmp_path, f"half||sh {half} {{junit}}", "later||true") == (1, "1 passed, 1 failed, 0 skipped")


TESTBED = """
import pathlib, time, pytest

@pytest.fixture
def testbed():
    pathlib.Path("up").touch()
    yield
    time.sleep(1)  # longer than subprocess.run leaves to an interrupted process
    pathlib.Path("down").touch()

def test_something(testbed):
    time.sleep(60)
"""


@pytest.mark.parametrize(
    "beside", [pytest.param([], id="alone"), pytest.param(["--lane", "beside||sleep 60"], id="two-lanes")]
)
@pytest.mark.parametrize(
    ("number", "to_the_group"),
    [pytest.param(signal.SIGINT, True, id="ctrl-c"), pytest.param(signal.SIGTERM, False, id="terminated")],
)
def test_an_interrupted_stage_takes_its_testbed_down(
    tmp_path: Path, number: int, to_the_group: bool, beside: list[str]
) -> None:
    """Nothing is left running, the later stages are not begun, and the run has failed."""
    (tmp_path / "test_slow.py").write_text(TESTBED, encoding="utf-8")
    stage = f"slow||{sys.executable} -m pytest -q -p no:cacheprovider -c /dev/null --rootdir . --junitxml={{junit}} test_slow.py"
    command = [sys.executable, str(TOOL), "--reports", str(tmp_path), "--lane", stage, "later||touch later", *beside]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 30
    while not (tmp_path / "up").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    if to_the_group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert (tmp_path / "down").exists()
    assert not (tmp_path / "later").exists()
    assert process.returncode == 1
    assert output.strip().splitlines()[-1] == f"0 passed, {2 if beside else 1} failed, 0 skipped"


def test_lanes_run_side_by_side_and_do_not_mix_their_output(tmp_path: Path) -> None:
    """Each waits for the other here; what one prints is shown in one piece; the counts are of both."""
    wait = "touch {0}; until [ -e {1} ]; do sleep 0.05; done; echo {0} one; sleep 0.2; echo {0} two"
    lanes = [
        f'{name}||sh -c "cd {tmp_path}; {wait.format(name, other)}"'
        for name, other in (("left", "right"), ("right", "left"))
    ]
    command = [
        sys.executable,
        str(TOOL),
        "--reports",
        str(tmp_path / "reports"),
        "--lane",
        lanes[0],
        "--lane",
        lanes[1],
        "bad||false",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "\nleft one\nleft two\n" in done.stdout
    assert "\nright one\nright two\n" in done.stdout
    assert done.stdout.strip().splitlines()[-1] == "2 passed, 1 failed, 0 skipped"
