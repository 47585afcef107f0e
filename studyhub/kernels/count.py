"""How much a kernel's functions compute, read from their source."""

import ast
from collections import Counter

KINDS = {
    ast.Add: "add", ast.Sub: "add", ast.USub: "add", ast.Mult: "multiply", ast.Div: "divide",
    **dict.fromkeys(("minimum", "maximum", "select", "both", "either", "negate", "size"), "select"),
    "exp": "exp", "log": "log", "tanh": "tanh", "sqrt": "sqrt",
}  # fmt: skip
COLUMNS = ("add", "multiply", "divide", "select", "compare", "exp", "log", "tanh", "sqrt")


def operations(source: str) -> dict[str, Counter[str]]:
    """Operations of every function that torch's tracer gave, by kind: those are straight lines of arithmetic, one unit and call each."""
    found = {}
    for function in ast.parse(source).body:
        if isinstance(function, ast.FunctionDef) and not any(isinstance(node, ast.If | ast.For | ast.While) for node in ast.walk(function)):
            found[function.name] = Counter(kind for node in ast.walk(function) if (kind := _kind(node)))
    return found


def _kind(node: ast.AST) -> str | None:
    if isinstance(node, ast.Compare):
        return "compare"
    if isinstance(node, ast.BinOp | ast.UnaryOp):
        return KINDS.get(type(node.op))  # type: ignore[call-overload]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return KINDS.get(node.func.id)
    return None
