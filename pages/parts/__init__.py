"""What several pages share: state, pickers, forms, editing bar, feedback, the graph component."""
