"""Builds what is given away: wheel, source archive, Debian package, bill of materials. No part of the program."""
