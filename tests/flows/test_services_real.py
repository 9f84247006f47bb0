"""Services of real captures: what each file of shared/data/pcap holds has not changed unnoticed.

The table beside this file is ours, not nDPI's; tests/benchmarks/services_agreement.py compares the two and writes it.
"""

from pathlib import Path

import pytest

from tests.benchmarks.services_agreement import DATA, summary

EXPECTED = Path(__file__).with_name("services_expected.txt")


@pytest.mark.skipif(not DATA.is_dir(), reason="shared/data/pcap is not beside the checkout")
def test_services_of_real_captures() -> None:
    expected = EXPECTED.read_text().splitlines()
    files = {path.name: path for path in DATA.iterdir()}
    found = [summary(files[line.split()[0]]) for line in expected if line.split()[0] in files]
    assert len(found) > 400
    assert found == [line for line in expected if line.split()[0] in files]
