"""How it is shown: tables, charts, pages."""
