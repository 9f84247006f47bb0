"""One profile for all property tests: no deadline, since the first call of a kernel includes its compilation."""

from hypothesis import settings

settings.register_profile("netsynth", deadline=None, print_blob=True)
settings.load_profile("netsynth")
