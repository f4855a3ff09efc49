"""The README tells the truth: each of its commands runs, and prints what is shown.

Everything happens in a folder of its own that looks like the checkout: the Makefile, the sample
and a `.venv` that is the environment of the tests. A shown line `...` stands for any number of
lines; numbers, hashes and stop sequences may differ, words may not.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dispatch.cli.outcome import EXIT_CODES

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
NOT_RUN = ["make test"]  # it would run this very test
PORT = "8000"
READY_WITHIN_S = 60.0

CURL = """\
#!{python}
# Stands in for curl on machines without it: -s, -H, --data-binary @-, one address.
import sys, urllib.request
words = sys.argv[1:]
head = dict(words[i + 1].split(": ") for i, word in enumerate(words) if word == "-H")
request = urllib.request.Request(words[-1], sys.stdin.buffer.read(), head)
sys.stdout.buffer.write(urllib.request.urlopen(request).read())
"""


@dataclass(frozen=True)
class Shown:
    """A command or a piece of Python, and what the README shows as its output."""

    language: str
    source: str
    output: str


def shown() -> list[Shown]:
    """Read the commands and Python blocks of the README in sequence."""
    found: list[Shown] = []
    blocks = FENCE.findall(TEXT)
    for place, (language, body) in enumerate(blocks):
        if language == "console":
            for part in re.split(r"^\$ ", body, flags=re.M)[1:]:
                command, _, output = part.partition("\n")
                found.append(Shown(language, command, output))
        elif language == "python":
            following, output = blocks[place + 1] if place + 1 < len(blocks) else ("", "")
            found.append(Shown(language, body, output if following == "text" else ""))
    return found


def masked(text: str) -> str:
    """Reduce an output to its words: one line, no numbers, no widths of tables."""
    text = re.sub(r"(?:·?[↑↓]\w+\s*)+(?=│)", "STOPS ", text)
    text = re.sub(r"\b(?=[0-9a-f]*\d)[0-9a-f]{12,}\b", "#", text)
    text = re.sub(r"-?\d+(?:[.,:]\d+)*(?:e-?\d+)?", "#", text)
    text = re.sub(r"([━─])+", r"\1", text)
    return " ".join(text.split())


def matches(expected: str, real: str) -> bool:
    """Whether an output is as shown, lines of `...` standing for anything."""
    parts = re.split(r"^ *\.\.\.$", expected, flags=re.M)
    return bool(re.fullmatch(".*".join(re.escape(masked(part)) for part in parts), masked(real)))


@pytest.mark.parametrize(
    ("expected", "real", "same"),
    [
        ("gap 0.00%, 12 pairs\n", "gap 1.25%,  7 pairs", True),
        ("gap 0.00%\n", "gap unknown", False),
        ("a\n...\nb\n", "a 1\n2\nb", True),
        ("a\n...\nb\n", "a 1\n2\n", False),
        ("a\n", "a\nsomething new\n", False),
        ("│ ↑o01 ↓o01 │", "│ ·↓b1 ↑o1 ↓o1 │", True),
        ("model f4075a0d0657 kept", "model 0123456789ab kept", True),
        ("│ cbc ┃━━━┃", "│ greedy ┃━┃", False),
    ],
)
def test_outputs_are_compared_by_their_words(expected: str, real: str, same: bool) -> None:
    assert matches(expected, real) is same


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    """A folder that looks like a checkout whose environment is set up."""
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "dispatch").symlink_to(Path(sys.executable).parent / "dispatch")
    (binaries / "python3").symlink_to(sys.executable)
    if shutil.which("curl") is None:
        (binaries / "curl").write_text(CURL.format(python=sys.executable))
        (binaries / "curl").chmod(0o755)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "data" / "sample", tmp_path / "data" / "sample")
    (tmp_path / ".venv" / ".ready").touch()  # after the files it depends on
    _write_instance(tmp_path / "0o100t100s1p100")
    return tmp_path


def _write_instance(folder: Path) -> None:
    """Write a tiny stand-in for the public instance, which is not ours to bring."""
    folder.mkdir()
    rows = {
        "orders": "order x y placement_time restaurant ready_time\no1 0 900 600 r1 610",
        "couriers": "courier x y on_time off_time\nc1 0 0 590 700",
        "restaurants": "restaurant x y\nr1 300 400",
    }
    for name, text in rows.items():
        (folder / f"{name}.txt").write_text(text.replace(" ", "\t") + "\n")
    (folder / "instance_parameters.txt").write_text(
        "meters_per_minute\tpickup service minutes\tdropoff service minutes\t"
        "target click-to-door\tmaximum click-to-door\tpay per order\tguaranteed pay per hour\n"
        "320\t4\t4\t40\t90\t10\t15\n"
    )


class Terminal:
    """Runs the README's commands one after the other; a server stays up until the end."""

    def __init__(self, workdir: Path) -> None:
        self._workdir = workdir
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = str(probe.getsockname()[1])
        own = {"PATH": f"{workdir}/.venv/bin:{os.environ['PATH']}", "COLUMNS": "100",
               "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
        # what a newcomer's shell has not: settings of ours, and make's own from `make test`
        foreign = ("DISPATCH_", "COURIER_", "MAKE", "MFLAGS")
        self._environment = {
            k: v for k, v in os.environ.items() if not k.startswith(foreign)
        } | own  # fmt: skip
        self._server: subprocess.Popen[str] | None = None

    def run(self, step: Shown) -> tuple[int, str]:
        """Return exit status and everything printed."""
        if step.language == "python":
            return self._finish([sys.executable, "-c", step.source])
        if step.source.startswith("dispatch serve"):
            return self._serve(step.source)
        return self._finish(["bash", "-c", step.source.replace(f":{PORT}/", f":{self._port}/")])

    def _finish(self, command: list[str]) -> tuple[int, str]:
        done = subprocess.run(
            command,
            cwd=self._workdir,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout

    def _serve(self, command: str) -> tuple[int, str]:
        log = self._workdir / "serve.log"
        with log.open("w") as stream:
            self._server = subprocess.Popen(
                [*shlex.split(command), "--port", self._port],
                executable=shutil.which("dispatch", path=self._environment["PATH"]),
                cwd=self._workdir,
                env=self._environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
                text=True,
            )
        until_s = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < until_s and self._server.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz"):
                    return 0, re.sub(r"(?m)^\{.*\n", "", log.read_text())  # less its request log
            except urllib.error.URLError:
                time.sleep(0.1)
        return self._server.poll() or 1, log.read_text()

    def close(self) -> None:
        """Stop the server as Ctrl-C would."""
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGINT)
            try:
                self._server.wait(20)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()


@pytest.fixture
def terminal(workdir: Path) -> Iterator[Terminal]:
    opened = Terminal(workdir)
    yield opened
    opened.close()


def test_every_command_runs_and_prints_what_is_shown(terminal: Terminal) -> None:
    """All but `make test`; commands that show an error exit with its code, the others with 0."""
    wrong = []
    for step in shown():
        if step.source in NOT_RUN:
            continue
        status, output = terminal.run(step)
        refused = step.output.startswith("dispatch: snapshot:")
        if status != (3 if refused else 0):
            wrong.append(f"{step.source}\nexit {status}\n{output[-1500:]}")
        elif not matches(step.output, output):
            wrong.append(f"{step.source}\nshown:\n{step.output}\nreal:\n{output[-3000:]}")
    assert not wrong, "\n\n".join(wrong)


def test_no_command_hides_from_this_test() -> None:
    """Commands stand in `console` blocks behind `$ `; the other blocks are Python and text."""
    blocks = FENCE.findall(TEXT)
    assert {language for language, _ in blocks} == {"console", "python", "text"}
    assert all(body.startswith("$ ") for language, body in blocks if language == "console")
    texts = [body for language, body in blocks if language == "text"]
    assert not [body for body in texts if re.search(r"^(\$|dispatch |make |curl )", body, re.M)]


def test_every_verb_has_its_command() -> None:
    listed = subprocess.run(
        [sys.executable, "-c", "from dispatch.cli.app import app\n"
         "print(*[c.callback.__name__ for c in app.registered_commands])"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    run = {word for step in shown() for word in re.findall(r"\bdispatch (\w+)", step.source)}
    assert set(listed) == run & set(listed)
    assert listed


def test_targets_and_options_named_in_passing_exist() -> None:
    prose = FENCE.sub("", TEXT)
    targets = set(re.findall(r"`make (\w+)`", prose))
    makefile = (ROOT / "Makefile").read_text()
    assert {"slow", "benchmarks"} <= targets
    assert not [t for t in targets if not re.search(rf"^{t}:", makefile, re.M)]
    options = set(re.findall(r"`(--[\w-]+)", prose))
    source = "".join(f.read_text() for f in (ROOT / "dispatch" / "cli").glob("*.py"))
    signature = source.replace("_", "-")
    assert options
    assert not [o for o in options if o not in source and f"{o[2:]}:" not in signature]


def test_the_exit_codes_are_the_ones_of_the_command_line() -> None:
    assert f"Exit codes: {EXIT_CODES}." in " ".join(TEXT.split())


def test_the_picture_is_a_small_png() -> None:
    picture = (ROOT / "docs" / "frontier.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 120_000
