"""generate"""

from pages.parts import state
from pages.parts.feedback import title

title("generate", "")
workspace = state.require()
