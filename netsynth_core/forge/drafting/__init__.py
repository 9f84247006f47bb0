"""Which packets a flow has: by documented defaults, or drawn from its automaton."""
