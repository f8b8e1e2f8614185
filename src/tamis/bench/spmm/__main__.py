"""Make the page and the plot of a CSV again: ``python -m tamis.bench.spmm CSV -o FOLDER``; ``--publish`` also trims its rows."""

import argparse
from pathlib import Path

from tamis.bench.spmm import Options, publish, read, training, write


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path, help="what `tamis bench spmm` wrote, or a published file")
    parser.add_argument("-o", "--out", type=Path, default=Path("tamis-bench"), help="folder of the page")
    parser.add_argument("--publish", action="store_true", help="also the rows behind the page, trimmed")
    arguments = parser.parse_args()
    if not arguments.csv.exists():
        parser.error(f"{arguments.csv} does not exist.")
    rows, beside = read(arguments.csv), arguments.out / arguments.csv.name
    arguments.out.mkdir(parents=True, exist_ok=True)
    if any(row.section == training.SECTION for row in rows):
        training.publish(rows, beside)  # such rows have no page
        print(beside)
        return
    if arguments.publish:
        rows = publish(rows, beside)
    grid = next((name for name in ("quick", "full") if name in beside.stem.split("_")), "default")
    print(write(rows, beside, Options(grid).command))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
