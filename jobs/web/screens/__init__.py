"""The screens, one module each: a function takes a ``Visit`` and returns the answer."""
