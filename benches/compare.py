"""Times wolfe and torch in turns, A B A B, and prints a Markdown table of medians and ratios.

    pip install torch==2.8.0 numpy
    python benches/compare.py               # every item, about ten minutes
    python benches/compare.py fit matmul    # those whose name contains a word

Both programs stay alive and are idle while the other one has its turn. A cell is the median over the turns of
the median within a turn; "spread" is the distance of the slowest from the fastest turn, as part of the median,
of ours and of torch.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import time

TURNS = 5
SECONDS = 0.4  # per turn
PAUSE = 0.05  # lets the other side's worker threads fall asleep
HERE = pathlib.Path(__file__).parent
OURS = ["cargo", "bench", "--quiet", "--bench", "compare", "--"]


class Program:
    def __init__(self, command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, cwd=HERE.parent
        )

    def time(self, name):
        """Seconds, and iterations and evaluations where the item counts them."""
        time.sleep(PAUSE)
        self.process.stdin.write(f"{name} {SECONDS}\n")
        answer = self.process.stdout.readline().split()
        if not answer or answer[0] != name:
            raise SystemExit(f"{self.process.args}: no answer to {name}")
        return float(answer[1]), "/".join(answer[4:])


def readable(seconds):
    for unit, size in (("s", 1), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.1e} s"


def spread(times):
    return f"{100 * (max(times) - min(times)) / statistics.median(times):.0f} %"


def main():
    words = sys.argv[1:]
    names = subprocess.run([*OURS, "--names"], cwd=HERE.parent, check=True, capture_output=True, text=True)
    names = [name for name in names.stdout.split() if not words or any(word in name for word in words)]
    ours = Program([*OURS, "--serve"])
    torch = Program([sys.executable, str(HERE / "torch_reference.py"), "--serve"])
    print(f"load before: {os.getloadavg()[0]:.2f}\n", file=sys.stderr)
    print("| item | wolfe | torch | torch / wolfe | spread | iterations/evaluations |")
    print("|---|---|---|---|---|---|")
    for name in names:
        a, b = [], []
        for _ in range(TURNS):
            a.append(ours.time(name))
            b.append(torch.time(name))
        x, y = ([seconds for seconds, _ in times] for times in (a, b))
        counts = "" if not a[0][1] else a[0][1] if a[0][1] == b[0][1] else f"{a[0][1]}, torch {b[0][1]}"
        left, right = statistics.median(x), statistics.median(y)
        row = f"| `{name}` | {readable(left)} | {readable(right)} | {right / left:.2f}"
        print(f"{row} | {spread(x)}, {spread(y)} | {counts} |", flush=True)
    print(f"load after: {os.getloadavg()[0]:.2f}", file=sys.stderr)


main()
