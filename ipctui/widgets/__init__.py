"""The drawing parts that panes share: pure functions from state and size to rows of text with roles."""
