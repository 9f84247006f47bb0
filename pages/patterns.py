"""patterns"""

from pages.parts import state
from pages.parts.feedback import title

title("patterns", "")
workspace = state.require()
