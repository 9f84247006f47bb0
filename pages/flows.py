"""flows"""

from pages.parts import state
from pages.parts.feedback import title

title("flows", "")
workspace = state.require()
