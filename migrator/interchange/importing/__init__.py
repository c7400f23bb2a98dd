"""Mail that other programs left: what a file is, where its messages stand, and what is said beside each.

``recognising`` and ``envelopes`` decide by content and touch no file; ``marks`` reads flags and dates that stand beside
mail. Each form has a module that yields ``Item``s; ``sources`` goes through folders and gives every file to its form.
"""
