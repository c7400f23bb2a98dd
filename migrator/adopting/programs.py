"""The programs that can be taken over from, by the names that a person types."""

from __future__ import annotations

from migrator.adopting.fdm import FDM
from migrator.adopting.fetchmail import FETCHMAIL
from migrator.adopting.getmail import GETMAIL
from migrator.adopting.model import Program
from migrator.adopting.mpop import MPOP
from migrator.adopting.thunderbird import THUNDERBIRD

PROGRAMS: dict[str, Program] = {program.name: program for program in (FETCHMAIL, GETMAIL, MPOP, FDM, THUNDERBIRD)}
