"""Charts as pure functions of panels: lines, dots and heat maps, and the files they are written to."""
