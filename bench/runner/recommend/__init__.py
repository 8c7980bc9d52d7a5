"""Recommend an optimizer and its settings for a problem within some minutes."""
