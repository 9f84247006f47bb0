"""The pages of the app: thin; they pick, ask the core, and show."""
