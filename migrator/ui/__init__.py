"""What a person sees on a terminal: results, problems, progress, a run in words."""
