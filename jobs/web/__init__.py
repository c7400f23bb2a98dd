"""The page: what a person does with the worker in a browser. Imported only where ``[web]`` is configured.

``server`` listens, ``app`` says which address is answered by what, ``guard`` lets requests in, ``visit`` is one of
them, and ``store`` keeps who may come in. Each screen is a module of ``screens``; what it shows and does it asks of the
``Site``. Words that are not in a template are in ``words``.
"""
