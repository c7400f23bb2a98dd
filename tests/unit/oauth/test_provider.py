import pytest

from migrator.oauth.provider import lacking


@pytest.mark.parametrize(
    ("asked", "given", "missing"),
    [
        (("mail",), (), ()),
        (("mail",), ("mail", "more"), ()),
        (("mail", "offline_access"), ("mail",), ()),
        (("mail", "post"), ("post",), ("mail",)),
        (
            ("https://outlook.office.com/POP.AccessAsUser.All",),
            ("https://outlook.office365.com/pop.accessasuser.all",),
            (),
        ),
    ],
)
def test_what_was_not_given(asked: tuple[str, ...], given: tuple[str, ...], missing: tuple[str, ...]) -> None:
    assert lacking(asked, given) == missing
