"""Charts that answer to the reader, drawn by Vega in the page itself."""
