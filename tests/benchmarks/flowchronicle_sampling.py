"""FlowChronicle's sampling, by hand: ``python tests/benchmarks/flowchronicle_sampling.py [-n FLOWS] [MODEL.json...]``.

For each model (without one: learnt from the sample capture): flows a second of CPU time and of wall time, for tables in
memory and streamed to CSV and Parquet, and the peak memory of a fresh process that streams. `--big` also streams 20
million flows. With `--week` the mean log-likelihood of held-out starts of planted weeks, beside replayed stamps, a flat
rate and bare counts by hour.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]


def learnt(folder: Path) -> Path:
    """A model of the sample capture."""
    from netsynth_core.flows.source import read_flows
    from netsynth_core.models.document import write_document
    from netsynth_core.models.flowchronicle import FlowChronicle, FlowChronicleParams

    flows = read_flows([ROOT / "sample_data" / "office.pcap.gz"]).flows
    model = FlowChronicle.fit(flows, FlowChronicleParams(), rng=np.random.default_rng(0))
    write_document(folder / "office.json", model.to_document())
    return folder / "office.json"


def in_memory(path: Path, n: int) -> dict[str, float]:
    """Flows a second of one table."""
    from netsynth_core.models.document import read_document
    from netsynth_core.models.flowchronicle import FlowChronicle

    model = FlowChronicle.from_document(read_document(path))
    model.sample(10_000, rng=np.random.default_rng(0))
    cpu, wall = time.process_time(), time.perf_counter()
    model.sample(n, rng=np.random.default_rng(1))
    return {"cpu": n / (time.process_time() - cpu), "wall": n / (time.perf_counter() - wall)}


def streamed(path: Path, n: int, target: Path) -> dict[str, float]:
    """The same of a fresh `netsynth sample`, start included, with its peak memory."""
    command = [sys.executable, "-m", "netsynth_core", "sample", str(path), "-n", str(n), "-o", str(target), "--json"]
    wall = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        answer = json.loads(process.stdout.read())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0 and answer["rows"] == n
    cpu = usage.ru_utime + usage.ru_stime
    size = target.stat().st_size
    target.unlink()
    return {
        "cpu": n / cpu,
        "wall": n / (time.perf_counter() - wall),
        "peak_mb": usage.ru_maxrss / 1024,
        "file_mb": size / 2**20,
    }


def weeks() -> None:
    """Held-out starts of planted weeks."""
    sys.path.insert(0, str(ROOT / "tests" / "models" / "flowchronicle" / "generation"))
    import test_intensity as planted

    print(f"{'days':>5} {'profile':8} {'starts':>7} {'truth':>8} {'learnt':>8} {'flat':>8} {'counts':>8} {'replay':>8}")
    for days in (2, 3, 7, 14):
        rng, part = np.random.default_rng(days), min(days, 7)
        trained = [planted.planted(name, planted.BEGIN, days * planted.DAY, rng) for name in planted.PROFILES]
        rates = planted.learnt(trained, planted.BEGIN, days * planted.DAY).week
        for name, row, seen in zip(planted.PROFILES, rates, trained, strict=True):
            held = planted.planted(name, planted.BEGIN + 2 * planted.WEEK, days * planted.DAY, rng)
            truth = np.repeat([planted.PROFILES[name](h) for h in range(planted.HOURS)], planted.SLOTS)
            counts = np.bincount(planted.hour_of_week(seen), minlength=planted.HOURS) + 0.01
            scores = [
                planted.log_density(truth, held, part),
                planted.log_density(row, held, part),
                planted.log_density(np.ones(len(row)), held, part),
                planted.log_density(np.repeat(counts, planted.SLOTS), held, part),
                planted.replay_density(seen, held, part),
            ]
            print(f"{days:>5} {name:8} {len(seen):>7} " + " ".join(f"{score:8.3f}" for score in scores))


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("-n", type=int, default=1_000_000)
    parser.add_argument("--big", action="store_true")
    parser.add_argument("--week", action="store_true")
    asked = parser.parse_args()
    if asked.week:
        weeks()
        return
    with tempfile.TemporaryDirectory() as folder:
        for path in asked.models or [learnt(Path(folder))]:
            rows = {"table in memory": in_memory(path, asked.n)}
            for ending in ("csv", "parquet"):
                rows[f"stream to {ending}"] = streamed(path, asked.n, Path(folder) / f"s.{ending}")
            if asked.big:
                rows["20 million to csv"] = streamed(path, 20_000_000, Path(folder) / "s.csv")
                rows["20 million to parquet"] = streamed(path, 20_000_000, Path(folder) / "s.parquet")
            for name, figures in rows.items():
                extra = f", peak {figures['peak_mb']:.0f} MB" if "peak_mb" in figures else ""
                print(f"{path.name} {name}: {figures['cpu']:,.0f} flows/s CPU, {figures['wall']:,.0f} wall{extra}")


if __name__ == "__main__":
    main()
