"""Print the table of conformance: `python -m tests.conformance [NAME ...]`.

It prepares the environments that it needs. Exit code 1 if ours and a package differ by more than rounding.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.conformance import dreamsim, hpsv3, image_reward, vqascore

COMPARED = {
    "dreamsim": dreamsim.compare,
    "hpsv3": hpsv3.compare,
    "image_reward": image_reward.compare,
    "vqascore": vqascore.compare,
}


def main(names: list[str]) -> int:
    """Print a row per image and prompt.

    Args:
        names: What is compared; empty: all.
    """
    found = []
    for name in names or COMPARED:
        with TemporaryDirectory() as folder:
            found += [(name, row) for row in COMPARED[name](Path(folder))]
    print("| metric | image, prompt | ours | package | difference |\n|---|---|---|---|---|")
    for name, row in found:
        values = f"{row.ours:.7f} | {row.package:.7f} | {row.ours - row.package:.1e}"
        print(f"| {name} | {row.what} | {values} |")
    return 0 if all(row.agrees for _, row in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
