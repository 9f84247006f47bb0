"""guide"""

from pages.parts import frame, state

frame.title("guide", "")
workspace = state.require()
