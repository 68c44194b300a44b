"""`python -m tests.faults --rounds 100 --seed 1`: the fault campaign. Stopped and started again, it resumes.

Prints each round as it ends, and at the end the table of faults and outcomes; exits with 1 where any round differs.
"""

import argparse
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.faults.campaign import FAULTS, FILL_DISK, Campaign, Round
from tests.faults.disturbances import SmallDisk
from tests.faults.processes import prefect_server


def main() -> int:
    """Play what is left of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", choices=["null", "bundled"], default="null", help="a tiny SDXL, or shapes-xl")
    parser.add_argument("--folder", type=Path, default=Path("faults"), help="for lakes, logs and outcomes")
    parser.add_argument("--fault", action="append", choices=FAULTS, metavar="FAULT", help="only these, in turn")
    parser.add_argument("--lanes", type=int, default=1, help="rounds that are played side by side")
    parser.add_argument("--again", action="store_true", help="also the rounds with a difference, once that is fixed")
    asked = parser.parse_args()
    folder = (asked.folder / f"{asked.model}-{asked.seed}").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if not SmallDisk.possible():
        print(f"{FILL_DISK!r} is left out: this process may not mount a small disk", flush=True)
    with prefect_server(folder) as prefect:
        campaign = Campaign(folder, asked.model, asked.seed, prefect)
        over = {played.number for played in campaign.rounds_done() if played.passed or not asked.again}
        left = sorted(set(range(asked.rounds)) - over)
        fault_of = {number: asked.fault[number % len(asked.fault)] if asked.fault else None for number in left}
        with ThreadPoolExecutor(asked.lanes) as lanes:
            for played in as_completed([lanes.submit(campaign.play, number, fault_of[number]) for number in left]):
                print(describe(played.result()), flush=True)
        rounds = campaign.rounds_done()
    print(table(rounds))
    return 0 if all(played.passed for played in rounds) else 1


def describe(played: Round) -> str:
    """One round in a line."""
    outcome = played.error or ", ".join(f"{n} {what}" for what, n in played.differences.items()) or "no difference"
    hit = f"{played.fault} ({played.moment})" if played.moment else played.fault
    return f"{played.number:>4}  {hit:<60} {played.starts} starts  {played.seconds:>6.0f} s  {outcome}"


def table(rounds: list[Round]) -> str:
    """Faults and outcomes, in Markdown."""
    kinds = ("lost", "doubled", "new", "different", "strays", "rounding")
    lines = [f"| fault | rounds | hit | starts | {' | '.join(kinds)} | failed |", "|---" * (len(kinds) + 5) + "|"]
    for fault in sorted({played.fault for played in rounds}):
        of = [played for played in rounds if played.fault == fault]
        sums = sum((Counter(played.differences) for played in of), Counter[str]())
        hit = sum(played.moment != "came too late" for played in of)
        cells = [fault, len(of), hit, sum(played.starts for played in of), *(sums[kind] for kind in kinds)]
        lines.append(f"| {' | '.join(str(cell) for cell in cells)} | {sum(not played.passed for played in of)} |")
    lines.append(f"{len(rounds)} rounds, {sum(not played.passed for played in rounds)} of them with a difference")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
