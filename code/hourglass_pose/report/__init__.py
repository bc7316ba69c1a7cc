"""What a person sees of results: tables, curves, pictures and the HTML page."""
