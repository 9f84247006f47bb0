"""compare"""

from pages.parts import frame, state

frame.title("compare", "")
workspace = state.require()
