"""What moves on a page while it is open: its parts as HTML, sent over one event stream a page.

``board`` keeps what was said, ``streams`` who listens, ``sources`` makes the parts. Who sees the same shares them.
"""
