"""automata"""

from pages.parts import frame, state

frame.title("automata", "")
workspace = state.require()
