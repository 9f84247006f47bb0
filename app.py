"""The frame of the app: pages, workspace, steps and jobs. What the pages show, they ask the core for."""

from pages.parts import frame
from pages.parts.feedback import readable_bugs, show_flash

page = frame.navigation()
with readable_bugs():
    frame.draw()
    show_flash()
    page.run()
