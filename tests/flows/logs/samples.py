"""A small log of each layout, written for these tests: the same few flows where the layout can hold them."""

from pathlib import Path

_FILES = {
    "zeek": "zeek.tsv",
    "zeek json": "zeek.jsonl",
    "argus": "argus.csv",
    "argus ctu": "argus_ctu13.csv",
    "nfdump": "nfdump.csv",
    "nfdump new": "nfdump_new.csv",
    "cidds": "cidds.csv",
    "cicflowmeter": "cicflowmeter.csv",
    "ugr": "ugr.csv",
    "suricata": "suricata.jsonl",
    "suricata netflow": "suricata_netflow.jsonl",
}
LOGS = {
    name: (Path(__file__).parent / "fixtures" / file).read_bytes().decode("latin-1") for name, file in _FILES.items()
}
"""One of each; the first word is the name of the format."""
ZEEK, ZEEK_JSON, ARGUS, CTU, NFDUMP, NFDUMP_NEW, CIDDS, CIC, UGR, SURICATA, SURICATA_NETFLOW = LOGS.values()
