"""compare"""

from pages.parts import state
from pages.parts.feedback import title

title("compare", "")
workspace = state.require()
