"""RTI+: real-time automata by likelihood-ratio tests of splits and merges."""
