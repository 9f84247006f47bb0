"""The tables and walks behind `netsynth_core.models.automata.conditioned`."""
