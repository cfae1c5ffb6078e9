"""`python -m tests.chaos --duration 15m --seed 7`: the scenarios, then mixed faults under load.

Ends with 1 on any violation.
"""

import argparse
import random
import re
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.checker import Findings
from tests.chaos.ledger import Ledger, PostOutcome
from tests.chaos.mix import Mix
from tests.chaos.rig import Rig
from tests.chaos.scenarios import FULL, SCENARIOS, run

UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> float:
    if not (match := re.fullmatch(r"(\d+)([smh])", text)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number and s, m or h, such as 15m")
    return int(match[1]) * UNITS[match[2]]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--duration", type=seconds, default="15m", help="such as 90s, 15m, 8h")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--rate", type=float, default=400.0, help="readings per second")
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    directory = Path(tempfile.mkdtemp(prefix="chaos-"))
    log(f"seed {arguments.seed}, logs in {directory}")
    violated = run_scenarios(directory, arguments.seed)
    with Rig(directory / "mix", seed=arguments.seed) as rig:
        mix = Mix(rig, seed=arguments.seed, log=log)
        findings = mix.run(arguments.duration, rate=arguments.rate)
    report(mix, findings, rig.ledger, arguments.seed)
    if not findings.clean:
        violated.append("mixed faults")
    log(f"violated by: {', '.join(violated) or 'nothing'}")
    if not violated:
        shutil.rmtree(directory)
    return 1 if violated else 0


def run_scenarios(directory: Path, seed: int) -> list[str]:
    """Run each scenario on a rig of its own; return the names of those that found a violation."""
    violated = []
    for name, scenario in SCENARIOS.items():
        with Rig(directory / name, seed=seed) as rig:
            findings = run(rig, scenario, FULL)
        log(f"{name}\n{findings}")
        if not findings.clean:
            violated.append(name)
    return violated


def report(mix: Mix, findings: Findings, ledger: Ledger, seed: int) -> None:
    log("faults injected:")
    for kind, times in sorted(mix.injected.items()):
        log(f"{times:6}  {kind}")
    log(f"{mix.injected.total():6}  in total, of {len(mix.injected)} kinds")
    acknowledged = findings.readings[PostOutcome.ACKNOWLEDGED]
    by_mqtt = ledger.posts_by_mqtt[PostOutcome.ACKNOWLEDGED]
    log(f"seed {seed}: {acknowledged:,} readings acknowledged, {by_mqtt:,} of them by MQTT")
    log(str(findings))


def log(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
