"""guide"""

from pages.parts import state
from pages.parts.feedback import title

title("guide", "")
workspace = state.require()
