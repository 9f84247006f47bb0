"""Flow logs of other tools, in and out: one module a format, a registry that tells them by content, and mappings."""
