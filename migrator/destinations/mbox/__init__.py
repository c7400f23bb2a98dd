"""An archive folder of mboxrd volumes."""
