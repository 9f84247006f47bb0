"""automata"""

from pages.parts import state
from pages.parts.feedback import title

title("automata", "")
workspace = state.require()
