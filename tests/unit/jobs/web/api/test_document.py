"""The API asked by Schemathesis for what its document allows and forbids, over real HTTP.

It looks at every answer: no error of the worker, only statuses, media types and fields that the document names, nothing
without a token, nothing for what the document forbids, and a method that is not there is refused with those that are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS
from schemathesis.generation import GenerationMode

from jobs.web.api.document import document, shown_path
from jobs.web.api.table import OPERATIONS, Operation
from jobs.web.people import Scope
from tests.unit.jobs.web.api.test_api import Program, program
from tests.unit.jobs.web.mail import letter, stored
from tests.unit.jobs.web.office import office

EXAMPLES = 12
GRAMMARS = frozenset({"q", "since"})
"""Parameters that have a grammar of their own, as parts of bodies do: not all that their schema allows makes sense."""
DESCRIBED = schemathesis.openapi.from_dict(document(OPERATIONS))


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("office")
    with office(folder) as one:
        one.add("ann")
        stored(folder, "alice", letter())
        yield program(one, Scope.ADMIN)


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_every_answer_is_what_the_document_says(one: Operation, mode: GenerationMode, asking: Program) -> None:
    here = asking.office
    described = DESCRIBED[f"/{shown_path(one)}"][one.method]
    has_grammar = bool(one.body) or not GRAMMARS.isdisjoint(one.parameter_names)
    excluded: Any = [one for one in CHECKS.get_all() if one.__name__ == "positive_data_acceptance" and has_grammar]

    @given(case=described.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    def ask(case: Any) -> None:
        here.site.limits.succeeded("127.0.0.1", "token 127.0.0.1")  # it tries wrong tokens all the time
        case.call_and_validate(
            base_url=f"http://127.0.0.1:{here.port}/api/v1",
            headers={"Authorization": f"Bearer {asking.token}"},
            excluded_checks=excluded,
        )

    ask()
