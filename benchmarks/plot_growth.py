"""Draws how making anti-samples grows: `python benchmarks/plot_growth.py`, from the record of `bench_generate.py`."""

import json
from pathlib import Path

from matplotlib.figure import Figure

RECORD = Path(__file__).parent / "records" / "generate-growth.json"
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "generate-growth.svg"
TITLES = {
    "n": "forget images of a class",
    "m": "retain images",
    "d": "numbers an image",
    "classes": "forget classes of 5,000",
}


def main() -> None:
    """Reads the record and writes the picture."""
    record = json.loads(RECORD.read_text())
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    axes = figure.subplots(2, len(TITLES), sharex="col", sharey="row")
    for column, (what, title) in enumerate(TITLES.items()):
        rows = [row for row in record["growth"] if row["what"] == ("size" if what == "d" else what)]
        values = [3 * row["value"] ** 2 if what == "d" else row["value"] for row in rows]
        seconds, memory = axes[0, column], axes[1, column]
        seconds.plot(values, [row["neighbours"] for row in rows], "o-", color="#0072B2", label="neighbours")
        seconds.plot(values, [row["samples"] for row in rows], "s--", color="#D55E00", label="noise, combinations")
        memory.plot(values, [row["peak_mib"] / 1024 for row in rows], "o-", color="#555555")
        seconds.loglog(), memory.semilogx()
        seconds.yaxis.set_major_formatter("{x:g}")
        memory.set_xticks(values, [f"{value:,}" for value in values], minor=False)
        memory.tick_params(axis="x", which="minor", labelbottom=False)
        memory.set_xlabel(title)
        seconds.grid(alpha=0.3), memory.grid(alpha=0.3)
    axes[1, 0].set_ylim(bottom=0)
    axes[0, 0].set_ylabel("seconds")
    axes[1, 0].set_ylabel("peak memory, GiB")
    axes[0, 0].legend(frameon=False)
    figure.suptitle("Making anti-samples, from 5,000 forget and 45,000 retain images of 3,072 numbers", fontsize=11)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
