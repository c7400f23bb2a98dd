"""One small change at a time to the functions of a module, each a mutant that some test should notice: pure.

Only what stands inside functions is changed: conditions, comparisons, arithmetic, truth values and whole numbers, calls
made for their effect, assignments to attributes, early ends. Words and annotations are left alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.LShift: ast.RShift,
}
_OPPOSITES = {"min": "max", "max": "min", "any": "all", "all": "any"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed function of a module. ``lines`` are those that a test must reach to notice; ``code`` is the function's.

    ``function``, ``line`` (its text, stripped) and ``change`` name it for people and survive a move within the module.
    """

    module: str
    function: str
    line: str
    change: str
    lines: range
    code: CodeType

    @property
    def name(self) -> tuple[str, str, str, str]:
        """What it is known by, from one version of the module to the next."""
        return self.module, self.function, self.line, self.change


@dataclass(frozen=True, slots=True)
class _Site:
    """A node, and what it may become, at its place in the tree."""

    parent: ast.AST
    field: str
    place: int | None
    node: ast.AST
    instead: ast.AST
    lines: range

    def put(self, node: ast.AST) -> None:
        if self.place is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.place] = node


def mutants_of(module: str, source: str, filename: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, in the order of its lines."""
    tree, lines = ast.parse(source), source.splitlines()
    for qualified_name, function in _functions(tree):
        for site in _sites(function, function, range(0)):
            site.put(ast.copy_location(site.instead, site.node))
            code = compile(ast.fix_missing_locations(tree), filename, "exec")
            site.put(site.node)
            line = lines[getattr(site.node, "lineno", site.lines.start) - 1].strip()
            change = _change(site.node, site.instead)
            yield Mutant(module, qualified_name, line, change, site.lines, _code_of(code, qualified_name))


def _functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """Yield the functions of a module and the methods of its classes; those inside them belong to these."""
    for node in tree.body:
        if isinstance(node, Function):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{inner.name}", inner) for inner in node.body if isinstance(inner, Function))


def _code_of(code: CodeType, qualified_name: str) -> CodeType:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_qualname == qualified_name:
                return constant
            if qualified_name.startswith(f"{constant.co_qualname}."):
                return _code_of(constant, qualified_name)
    raise LookupError(qualified_name)


def _sites(node: ast.AST, function: Function, lines: range) -> Iterator[_Site]:
    """Yield what may be changed below a node; ``lines`` are those of the statement it stands in."""
    for field, value in ast.iter_fields(node):
        if field in {"annotation", "args", "returns", "decorator_list"} and not isinstance(node, ast.Call):
            continue
        for place, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or _is_left_alone(child):
                continue
            reached = _lines_of(child) or lines
            for instead in _alternatives(child, node, field, function):
                yield _Site(node, field, place, child, instead, reached)
            yield from _sites(child, function, reached)


def _is_left_alone(node: ast.AST) -> bool:
    """Say whether a node is words, a pattern, or an assertion that two things are of one length."""
    return isinstance(node, ast.JoinedStr | ast.pattern) or (isinstance(node, ast.keyword) and node.arg == "strict")


def _lines_of(node: ast.AST) -> range | None:
    """Return the lines of a statement, those of its head if others stand inside it; None for anything else."""
    if isinstance(node, ast.match_case):
        return range(node.pattern.lineno, node.body[0].lineno)
    if not isinstance(node, ast.stmt):
        return None
    inside = getattr(node, "body", None) or getattr(node, "cases", None)
    first = _lines_of(inside[0]) if inside else None
    end = (node.end_lineno or node.lineno) + 1 if first is None else max(first.start, node.lineno + 1)
    return range(node.lineno, end)


def _alternatives(node: ast.AST, parent: ast.AST, field: str, function: Function) -> Iterator[ast.AST]:
    """Yield what a node may become."""
    if isinstance(node, ast.expr):
        if field in {"test", "guard", "ifs"} and not isinstance(parent, ast.IfExp | ast.Assert):
            yield from _always(node)
        yield from _expressions(node)
    elif isinstance(node, ast.stmt):
        yield from _statements(node, function)


def _always(test: ast.expr) -> Iterator[ast.expr]:
    """Yield a condition that always holds, and one that never does; a name that it binds stays bound."""
    if any(isinstance(inner, ast.NamedExpr) for inner in ast.walk(test)):
        yield ast.BoolOp(ast.Or(), [test, ast.Constant(value=True)])
        yield ast.BoolOp(ast.And(), [test, ast.Constant(value=False)])
    elif not isinstance(test, ast.Constant):
        yield ast.Constant(value=True)
        yield ast.Constant(value=False)


def _expressions(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.Compare():
            yield from _comparisons(node)
        case ast.Constant(value):
            yield from _constants(value)
        case ast.BoolOp(operator, values):
            yield ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
        case ast.UnaryOp(ast.Not(), operand):
            yield operand
        case ast.IfExp(_, body, orelse):
            yield body
            yield orelse
        case ast.BinOp(left, ast.BitOr()):
            yield left
        case ast.BinOp(left, operator, right) if type(operator) in _ARITHMETIC:
            yield ast.BinOp(left, _ARITHMETIC[type(operator)](), right)
        case ast.Call(ast.Name(name), arguments, keywords) if name in _OPPOSITES:
            yield ast.Call(ast.Name(_OPPOSITES[name], ast.Load()), arguments, keywords)
        case _:
            pass


def _comparisons(node: ast.Compare) -> Iterator[ast.expr]:
    for place, operator in enumerate(node.ops):
        for instead in _COMPARISONS[type(operator)]:
            yield ast.Compare(node.left, [*node.ops[:place], instead(), *node.ops[place + 1 :]], node.comparators)


def _constants(value: object) -> Iterator[ast.expr]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield ast.Constant(value + 1)


def _statements(node: ast.stmt, function: Function) -> Iterator[ast.stmt]:
    match node:
        case ast.Expr(ast.Call(ast.Name("assert_never"))):
            pass
        case ast.Expr(ast.Call()) | ast.Raise() | ast.Return(None) | ast.AugAssign() | ast.Delete():
            yield ast.Pass()
        case ast.Assign([ast.Attribute() | ast.Subscript()]) if function.name != "__init__":
            yield ast.Pass()
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()
        case ast.Return(ast.expr() as value) if not isinstance(value, ast.Constant):
            yield from (ast.Return(ast.Constant(instead)) for instead in _constant_results(function))
        case _:
            pass


def _constant_results(function: Function) -> Iterator[bool | None]:
    """Yield what a function might return whatever it is asked, as far as its annotation tells."""
    promised = ast.unparse(function.returns) if function.returns else ""
    if promised == "bool":
        yield from (True, False)
    elif "None" in promised.split(" | "):
        yield None


def _change(node: ast.AST, instead: ast.AST) -> str:
    if isinstance(instead, ast.Pass):
        return "left out"
    after = " ".join(ast.unparse(instead).split())
    return after if isinstance(instead, ast.stmt) else f"{' '.join(ast.unparse(node).split())} -> {after}"
