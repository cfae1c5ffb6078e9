"""`python -m tests.chaos --duration 15m --seed 7`: mixed faults under load; 1 on any violation."""

import argparse
import random
import re
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.ledger import Verdict
from tests.chaos.mix import Mix
from tests.chaos.rig import Rig

UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> float:
    """Read a duration such as 90s, 15m or 1h."""
    if not (match := re.fullmatch(r"(\d+)([smh])", text)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number and s, m or h, such as 15m")
    return int(match[1]) * UNITS[match[2]]


def main() -> int:
    """Run, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--duration", type=seconds, default="15m", help="such as 90s, 15m, 8h")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--rate", type=float, default=400.0, help="readings a second")
    arguments = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="chaos-"))
    say(f"seed {arguments.seed}, logs in {directory}")
    with Rig(directory, seed=arguments.seed) as rig:
        mix = Mix(rig, seed=arguments.seed, say=say)
        findings = mix.run(arguments.duration, rate=arguments.rate)
    say("faults struck:")
    for kind, times in sorted(mix.struck.items()):
        say(f"{times:6}  {kind}")
    say(f"{mix.struck.total():6}  in all, of {len(mix.struck)} kinds")
    say(f"seed {arguments.seed}: {findings.readings[Verdict.ACKNOWLEDGED]:,} readings acknowledged")
    say(str(findings))
    if findings.clean:
        shutil.rmtree(directory)
    return 0 if findings.clean else 1


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
