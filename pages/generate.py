"""generate"""

from pages.parts import frame, state

frame.title("generate", "")
workspace = state.require()
