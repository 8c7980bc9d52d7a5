"""Presentation of results: tables, charts, pages."""
