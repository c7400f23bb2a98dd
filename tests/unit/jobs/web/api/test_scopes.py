from __future__ import annotations

import pytest

from jobs.web.people import Scope


@pytest.mark.parametrize(
    ("has", "needs", "is_enough"),
    [
        (Scope.READ, Scope.READ, True),
        (Scope.READ, Scope.OPERATE, False),
        (Scope.READ, Scope.ADMIN, False),
        (Scope.OPERATE, Scope.READ, True),
        (Scope.OPERATE, Scope.OPERATE, True),
        (Scope.OPERATE, Scope.ADMIN, False),
        (Scope.ADMIN, Scope.READ, True),
        (Scope.ADMIN, Scope.ADMIN, True),
    ],
)
def test_a_scope_includes_those_before(has: Scope, needs: Scope, is_enough: bool) -> None:
    assert has.includes(needs) is is_enough
