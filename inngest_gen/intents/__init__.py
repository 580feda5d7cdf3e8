"""What a handler may yield: steps, sub-flow groups, defers, resources and Done."""
