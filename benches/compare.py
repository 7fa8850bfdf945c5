"""Times wolfe and torch in turns, A B A B, and prints a Markdown table of medians and ratios.

    pip install torch==2.8.0 numpy
    python benches/compare.py               # every item, four minutes on an idle machine
    python benches/compare.py fits matmul   # those whose group or name contains a word

Both programs stay alive and are idle while the other one has its turn. A cell is the median over the turns of
the median within a turn; "spread" is the distance of the slowest from the fastest turn, as part of the median,
of ours and of torch.

torch's threads wait for each other by spinning: a foreign process on one of their cores makes them ten to a
thousand times slower. So each turn waits for an idle machine, and is repeated if other processes used the
machine meanwhile (Linux only); the table says where that did not help.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

TURNS = 3
SECONDS = 0.3  # per turn
PAUSE = 0.1  # before a turn: lets the other side's worker threads fall asleep
FOREIGN = 0.05  # cores that other processes may use during a turn
ATTEMPTS = 8
PATIENCE = 300  # seconds to wait for an idle machine
HERE = pathlib.Path(__file__).parent
STAT = pathlib.Path("/proc/stat")


class Program:
    def __init__(self, command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, cwd=HERE.parent
        )
        self.disturbed = 0

    def ask(self, name, seconds):
        self.process.stdin.write(f"{name} {seconds}\n")
        answer = self.process.stdout.readline().split()
        if not answer or answer[0] != name:
            raise SystemExit(f"{self.process.args}: no answer to {name}")
        return answer

    def turn(self, name):
        """Seconds, and iterations and evaluations where the item counts them."""
        for _ in range(ATTEMPTS):
            self.wait_for_idle_machine()
            before = self.foreign_seconds(), time.perf_counter()
            answer = self.ask(name, SECONDS)
            foreign = (self.foreign_seconds() - before[0]) / (time.perf_counter() - before[1])
            if foreign <= FOREIGN:
                break
        else:
            self.disturbed += 1
        return float(answer[1]), "/".join(answer[4:])

    def wait_for_idle_machine(self):
        end = time.perf_counter() + PATIENCE
        while time.perf_counter() < end:
            before = self.foreign_seconds()
            time.sleep(PAUSE)
            if self.foreign_seconds() == before:
                return
            time.sleep(1)

    def foreign_seconds(self):
        """Time that all cores have spent on anything but this program and idleness."""
        if not STAT.exists():
            return 0.0
        user, nice, system, _, _, irq, softirq, *_ = map(int, STAT.read_text().splitlines()[0].split()[1:])
        own = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks = user + nice + system + irq + softirq - int(own[11]) - int(own[12])
        return ticks / os.sysconf("SC_CLK_TCK")


def build():
    """The bench program `compare`."""
    command = ["cargo", "bench", "--quiet", "--no-run", "--bench", "compare", "--message-format=json"]
    lines = subprocess.run(command, cwd=HERE.parent, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in lines.splitlines()]
    return next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "compare")


def readable(seconds):
    for unit, size in (("s", 1), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.1e} s"


def spread(times):
    return f"{100 * (max(times) - min(times)) / statistics.median(times):.0f} %"


def main():
    words = sys.argv[1:]
    program = build()
    listed = subprocess.run([program, "--names"], check=True, stdout=subprocess.PIPE, text=True)
    names = listed.stdout.splitlines()
    ours = Program([program, "--serve"])
    torch = Program([sys.executable, str(HERE / "torch_reference.py"), "--serve"])
    print(f"load before: {os.getloadavg()[0]:.2f}", file=sys.stderr)
    print("| item | wolfe | torch | torch / wolfe | spread | iterations/evaluations |")
    print("|---|---|---|---|---|---|")
    for line in names:
        if words and not any(word in line for word in words):
            continue
        name = line.split()[1]
        ours.disturbed = torch.disturbed = 0
        ours.ask(name, 0)
        torch.ask(name, 0)
        turns = [(ours.turn(name), torch.turn(name)) for _ in range(TURNS)]
        (_, a), (_, b) = turns[0]
        counts = a if a == b else f"{a}, torch {b}"
        x, y = [left for (left, _), _ in turns], [right for _, (right, _) in turns]
        left, right = statistics.median(x), statistics.median(y)
        noise = f"{spread(x)}, {spread(y)}"
        if ours.disturbed or torch.disturbed:
            noise += f"; {ours.disturbed} and {torch.disturbed} of {TURNS} turns disturbed"
        print(
            f"| `{name}` | {readable(left)} | {readable(right)} | {right / left:.2f} | {noise} | {counts} |",
            flush=True,
        )
    print(f"load after: {os.getloadavg()[0]:.2f}", file=sys.stderr)


main()
