"""Reports: what a study has found, as a page, tables and figures, rendered from store and study alone."""
