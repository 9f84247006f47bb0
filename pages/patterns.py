"""patterns"""

from pages.parts import frame, state

frame.title("patterns", "")
workspace = state.require()
