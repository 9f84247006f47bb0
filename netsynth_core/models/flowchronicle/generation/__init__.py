"""What FlowChronicle learns besides its patterns so that it can generate: when windows start and which follow which,
how long the gaps inside them are, and which values stand behind the codes of numbers."""
