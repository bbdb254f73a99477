"""Pictures of results as PNG files, for pages and papers: one module a picture."""
