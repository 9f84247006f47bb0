"""``python -m netsynth_core`` is ``netsynth``."""

from netsynth_core.cli import main

if __name__ == "__main__":
    main()
