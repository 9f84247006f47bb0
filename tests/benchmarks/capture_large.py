"""A capture larger than the memory that reading it may take: ``python tests/benchmarks/capture_large.py CAPTURE.pcap
[--gigabytes 5] [--limit-mb 1000] [--folder DIR]``.

The capture (of `capture_files`) is repeated with later instants and other clients until it has the size asked for, in a
folder that is deleted at the end. ``netsynth flows`` then runs under a limit on private memory: RLIMIT_DATA, which
counts the heap and all private writable mappings. RLIMIT_AS would count the address space instead, of which the
interpreter with NumPy, LLVM and Arrow reserves gigabytes that it never touches, and the mapped windows of the file.

Measured on 2026-11-21: 5.40 GB, 10,000,000 packets, 500,000 flows; 51 s wall at a load of 10, 8.3 s CPU, private peak
750 MB, resident peak with mapped pages 841 MB, under a limit of 1000 MB.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from capture_files import repeat_capture
from capture_speed import private_kb


def main() -> None:
    """Make the capture, read it under the limit, say what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--gigabytes", type=float, default=5.0)
    parser.add_argument("--limit-mb", type=int, default=1000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        large = Path(temporary) / "large.pcap"
        packets = repeat_capture(options.capture, large, int(options.gigabytes * 1e9))
        print(f"{large.stat().st_size / 1e9:.2f} GB, {packets:,} packets", flush=True)
        limit = options.limit_mb * 1_000_000

        def limited() -> None:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

        command = [
            str(Path(sys.executable).with_name("netsynth")),
            "flows",
            str(large),
            "-o",
            f"{temporary}/flows.parquet",
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        begin, peak = time.perf_counter(), 0
        process = subprocess.Popen(command, preexec_fn=limited, env=environment)
        while process.poll() is None:
            peak = max(peak, private_kb(process.pid))
            time.sleep(0.02)
        wall = time.perf_counter() - begin
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = usage.ru_utime + usage.ru_stime
        print(
            f"ended with {process.returncode}; {wall:.1f} s wall, {cpu:.1f} s CPU, private peak {peak / 1024:.0f} MB, "
            f"resident peak with mapped pages {usage.ru_maxrss / 1024:.0f} MB, under a limit of {options.limit_mb} MB"
        )


if __name__ == "__main__":
    main()
