"""A TADAM model of an automaton that was learnt elsewhere: to be shown, sampled, forged from, and to explain words."""

from netsynth_core.files import content_hash, dump_json
from netsynth_core.models.automata.automaton import END
from netsynth_core.models.automata.fosr_reading import Imported
from netsynth_core.models.codelength import Codelength
from netsynth_core.models.delays import DelayLaw
from netsynth_core.models.tadam.model import Tadam
from netsynth_core.models.tadam.noise import NoiseModel
from netsynth_core.models.tadam.params import TadamParams


def tadam_of(imported: Imported, *, source: str) -> Tadam:
    """The model of an imported automaton.

    Its training words are elsewhere: it has no codelength, and edits that recount are refused.

    Parameters
    ----------
    source
        Name of the file, for people.
    """
    automaton = imported.automaton
    reads = sum(t.count for t in automaton.transitions)
    words = automaton.uses
    plain = max(imported.noise.get("none", 1.0), 1e-3)

    def count(name: str) -> int:
        return round(reads * imported.noise.get(name, 0.0) / plain)

    uniform = DelayLaw((), automaton.scale.codes)
    noise = NoiseModel(
        matches=reads,
        missing=count("deletion"),
        duplicates=count("reemission"),
        swaps=count("transposition"),
        additions=count("addition"),
        duplicate_delay=uniform,
        addition_delay=uniform,
        accepted=words,
        rejected=0,
    )
    return Tadam(
        automaton=automaton,
        noise=noise,
        params=TadamParams(),
        codelength=Codelength(0.0, 0.0, 0.0),
        service=imported.service,
        state=imported.state,
        trained_on={
            "service": imported.service,
            "state": imported.state,
            "unit": automaton.scale.unit,
            "words": words,
            "symbols": sum(t.count for t in automaton.transitions if t.symbol != END),
            "content": content_hash(
                dump_json([[t.source, t.target, t.symbol, t.count] for t in automaton.transitions])
            ),
            "imported": source,
        },
        warnings=("Imported: learnt elsewhere, so it has no codelength and no training words.", *imported.notes),
        payloads=imported.payloads,
    )
