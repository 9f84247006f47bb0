"""The frame of the app: pages, workspace, steps and jobs. What the pages show, they ask the core for."""

from pages.parts import frame
from pages.parts.feedback import readable_errors, show_flash

page = frame.navigation()
frame.draw()
show_flash()
with readable_errors():
    page.run()
