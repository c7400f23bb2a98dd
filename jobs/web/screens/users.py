"""Users: who may come in, what each may see; and everybody's own password."""

from __future__ import annotations

from starlette.responses import Response

from jobs.web import words
from jobs.web.again import problem_of_own
from jobs.web.hashing import hashed
from jobs.web.people import Role, User, problem_of_name, problem_of_password
from jobs.web.screens.signing_in import signed_in
from jobs.web.user_store import known_users
from jobs.web.visit import Refused, Visit
from jobs.web.words import Said


def show(visit: Visit) -> Response:
    """List the users."""
    return _page(visit)


def _page(visit: Visit, code: int = 200, problem: str = "", filled: User | None = None) -> Response:
    return visit.page(
        "users.html",
        code,
        users=known_users(visit.site.store, visit.site.clock()),
        names=[account.name for account in visit.site.worker.config().accounts],
        roles=list(Role),
        problem=problem,
        filled=filled or User("", Role.READER),
    )


def add(visit: Visit) -> Response:
    """Add a user; the administrator gives the own password again."""
    user, problem = role_of_form(visit)
    password = visit.field("password")
    problem = problem or problem_of_name(user.name) or problem_of_password(password, user.name) or problem_of_own(visit)
    if problem:
        return _page(visit, 422, problem, user)
    if not visit.site.store.add(user, hashed(password), visit.site.clock()):
        return _page(visit, 422, words.NAME_TAKEN, user)
    visit.note("add user", user.name, str(user.role))
    return visit.go_to("/users", Said.USER_ADDED)


def role_of_form(visit: Visit) -> tuple[User, str]:
    """Return the user as the form has it, and what is wrong with role and accounts."""
    known = {account.name for account in visit.site.worker.config().accounts}
    accounts = known.intersection(visit.form.get("account", ()))
    try:
        role = Role(visit.field("role"))
    except ValueError:
        return User(visit.field("name"), Role.READER), words.UNKNOWN_ROLE
    user = User(visit.field("name"), role, frozenset(accounts) if role is Role.READER else frozenset())
    return user, words.NO_ACCOUNTS if role is Role.READER and not accounts else ""


def remove(visit: Visit) -> Response:
    """Remove a user and end all of the user's sessions; the last administrator stays."""
    name = visit.field("name")
    known = visit.site.store.user(name)
    if known is None:
        raise Refused(404, words.NOT_FOUND)
    if problem := problem_of_own(visit):
        return _page(visit, 422, problem)
    is_last = known[0].role is Role.ADMINISTRATOR
    if not visit.site.store.remove(name, keeps_administrator=is_last):
        return _page(visit, 422, words.LAST_ADMINISTRATOR)
    visit.note("remove user", known[0].name)
    return visit.go_to("/users", Said.USER_REMOVED)


def password_page(visit: Visit) -> Response:
    """Show how to change one's own password."""
    return visit.page("password.html", problem="")


def change_password(visit: Visit) -> Response:
    """Change one's own password: every session ends, and a new one begins here."""
    user, password = visit.user, visit.field("password")
    same = "" if visit.field("again") == password else words.NOT_THE_SAME
    old = words.SAME_AS_BEFORE if visit.field("own") == password else ""
    if problem := problem_of_password(password, user.name) or same or old or problem_of_own(visit, is_always=True):
        return visit.page("password.html", 422, problem=problem)
    visit.site.store.change_password(user.name, hashed(password))
    visit.note("change password", user.name)
    return signed_in(visit, user, f"/?said={Said.PASSWORD_CHANGED}")
