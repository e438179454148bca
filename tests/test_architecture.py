"""The layers of the package, read from its imports: they point down, heavy libraries stay in their rooms."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "slth"

# Layer of each room; a room may import itself, lower layers, and what MAY_SEE lists of its own level.
LAYER = {
    "errors": 0,
    "_typing": 0,
    "_validate": 0,
    "_jit": 1,
    "laws": 1,
    "theory": 2,
    "groups": 2,
    "subset_sum": 3,
    "networks": 3,
    "readers": 4,
    "tickets": 4,
    "testing": 4,
    "examples": 5,
    "experiments": 5,
    "baselines": 5,
    "plots": 6,
    "reports": 7,
    "cli": 8,
    "__main__": 9,
}
MAY_SEE = {
    ("laws", "_jit"),  # a law maps words drawn by compiled Philox
    ("_validate", "errors"),
    ("_validate", "_typing"),
    ("baselines", "experiments"),
    ("baselines", "examples"),
}
# library -> the only places (file, or folder with a trailing slash) that may import it
CONFINED = {
    "numba": ("_jit/_options.py", "cli/doctor.py"),
    "ortools": ("subset_sum/mip.py", "cli/doctor.py"),
    "matplotlib": ("plots/", "reports/"),
    "torch": ("readers/", "tickets/export_torch.py", "baselines/"),
    "onnx": ("readers/", "tickets/export_onnx.py"),
    "safetensors": ("readers/", "tickets/export.py"),
    "sklearn": ("readers/", "examples/train_digits.py"),
    "dask": ("experiments/",),
    "distributed": ("experiments/",),
    "pydantic_core": ("experiments/spec.py",),
    "pydantic": ("experiments/spec.py",),
    "cyclopts": ("cli/",),
    "rich": ("cli/",),
    "hypothesis": ("testing.py",),
    "flint": ("laws/rigor.py", "tickets/recheck.py"),
}
# Parameters that no caller gives: the inputs of a bound are options one by one, Hypothesis draws by itself.
SILENT = {("cli/bound.py", "inputs"), ("testing.py", "draw")}
# The independent checker may not lean on what arranged, pruned or solved.
CHECKER = "tickets/check.py"
CHECKER_MAY_NOT_REACH = {
    "slth.subset_sum",
    "slth._jit.merge",
    "slth._jit.matching",
    *(
        f"slth.tickets.{name}"
        for name in ("arrangement", "assignment", "budgeting", "builder", "feedback", "fill")
    ),
    *(f"slth.tickets.{name}" for name in ("lifting", "planning", "prune", "resume", "sizing")),
}


def modules(root: Path) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(root.rglob("*.py")):
        yield path.relative_to(root).as_posix(), ast.parse(path.read_text())


def imported(tree: ast.Module) -> Iterator[str]:
    """Every dotted name a module imports, wherever in the file, relative imports excluded by rule."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield "RELATIVE"
            elif node.module:
                yield node.module
                for alias in node.names:
                    yield f"{node.module}.{alias.name}"


def room_of(name: str) -> str:
    return name.split("/")[0].removesuffix(".py")


def violations(root: Path) -> list[str]:
    found = []
    for name, tree in modules(root):
        if name == "__init__.py":
            continue
        room = room_of(name)
        if room not in LAYER:
            found.append(f"{name}: unknown room {room!r}")
            continue
        for target in imported(tree):
            if target == "RELATIVE":
                found.append(f"{name}: relative import")
                continue
            parts = target.split(".")
            if parts[0] == "slth" and len(parts) > 1:
                other = parts[1]
                if other == room or other not in LAYER:
                    continue
                if LAYER[other] >= LAYER[room] and (room, other) not in MAY_SEE:
                    found.append(f"{name}: imports {target} (layer {LAYER[other]} from layer {LAYER[room]})")
            places = CONFINED.get(parts[0])
            if places and not any(name == p or (p.endswith("/") and name.startswith(p)) for p in places):
                found.append(f"{name}: imports {parts[0]}, which is confined to {places}")
    return found


def test_imports_only_point_down() -> None:
    assert violations(ROOT) == []


@pytest.mark.parametrize(
    ("place", "line", "complaint"),
    [
        ("laws/uniform.py", "from slth.cli import main", "layer 8 from layer 1"),
        ("theory/bounds.py", "from slth.subset_sum.solve import solve", "layer 3 from layer 2"),
        ("networks/forward.py", "import slth.subset_sum", "layer 3 from layer 3"),
        ("tickets/prune.py", "import numba", "confined"),
        ("theory/bounds.py", "def f():\n    import matplotlib.pyplot", "confined"),
        ("utils.py", "x = 1", "unknown room"),
        ("laws/uniform.py", "from . import words", "relative import"),
    ],
)
def test_the_test_would_notice(tmp_path: Path, place: str, line: str, complaint: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(line + "\n")
    assert any(complaint in violation for violation in violations(tmp_path))


def reach(start: str) -> set[str]:
    """Dotted names of the slth modules that a file imports, directly or through other files."""
    seen: set[str] = set()
    todo = [start]
    while todo:
        name = todo.pop()
        if not (ROOT / name).is_file():
            continue
        for target in imported(ast.parse((ROOT / name).read_text())):
            if not target.startswith("slth.") or target in seen:
                continue
            seen.add(target)
            stem = "/".join(target.split(".")[1:])
            todo += [p for p in (f"{stem}.py", f"{stem}/__init__.py") if (ROOT / p).is_file()]
            # importing a.b.c runs a/b/__init__.py as well
            todo += [f"{'/'.join(stem.split('/')[:i])}/__init__.py" for i in range(1, stem.count("/") + 1)]
    return seen


def test_checker_is_independent() -> None:
    assert (ROOT / CHECKER).is_file()
    assert not {t for t in reach(CHECKER) if any(t.startswith(bad) for bad in CHECKER_MAY_NOT_REACH)}
    # the lists above speak of what is there: a renamed file would be forbidden to nobody
    assert reach("tickets/prune.py") | {"slth.tickets.prune"} >= CHECKER_MAY_NOT_REACH


def test_rooms_of_libraries_are_there() -> None:
    places = {place for own in CONFINED.values() for place in own}
    assert [place for place in sorted(places) if not (ROOT / place).exists()] == []
    assert [name for name in LAYER if not any((ROOT / f"{name}{end}").exists() for end in (".py", ""))] == []


def test_every_file_says_what_it_owns() -> None:
    silent = [
        name
        for name, tree in modules(ROOT)
        if not ast.get_docstring(tree) and (ROOT / name).read_text().strip()
    ]
    assert silent == []


def documented(text: str) -> list[str] | None:
    """The names under "Parameters" of a docstring in numpydoc form; None if it has no such part."""
    found = re.search(r"(?:^|\n)Parameters\n-+\n(.*?)(?:\n\n[A-Z][a-z]+\n-+\n|\Z)", text, re.S)
    if found is None:
        return None
    lines = [line for line in found.group(1).splitlines() if line and not line.startswith(" ")]
    return [name.strip(" *") for line in lines for name in line.split(":")[0].split(",")]


def parameters(function: ast.FunctionDef) -> list[str]:
    own = function.args
    after = [own.vararg, *own.kwonlyargs, own.kwarg]
    names = [argument.arg for argument in (*own.posonlyargs, *own.args, *after) if argument is not None]
    return [name for name in names if name not in {"self", "cls", "common"}]  # common: options of every command


def misdocumented(root: Path) -> list[str]:
    found = []
    for name, tree in modules(root):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                listed = documented(ast.get_docstring(node) or "")
                if listed is not None and listed != [p for p in parameters(node) if (name, p) not in SILENT]:
                    found.append(f"{name}: {node.name} documents {listed}")
    return found


def test_documented_parameters_are_those_of_the_signature(tmp_path: Path) -> None:
    assert misdocumented(ROOT) == []
    text = 'def f(a, *, b):\n    """Do.\n\n    Parameters\n    ----------\n    {}\n    """\n'
    for listed, wrong in (("a, b", 0), ("a : int\n    b : int", 0), ("b, a", 1), ("a", 1), ("a, b, c", 1)):
        (tmp_path / "one.py").write_text(text.format(listed))
        assert len(misdocumented(tmp_path)) == wrong, listed


def test_no_asserts_or_prints_in_the_library() -> None:
    found = []
    for name, tree in modules(ROOT):
        for node in ast.walk(tree):
            if isinstance(node, ast.Assert):
                found.append(f"{name}:{node.lineno}: assert")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                found.append(f"{name}:{node.lineno}: print")
    assert found == []


def test_every_expected_exception_is_matched() -> None:
    bare = []
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.raises":
                kind = ast.unparse(node.args[0]) if node.args else ""
                if not any(k.arg == "match" for k in node.keywords) and kind not in {
                    "SystemExit",
                    "KeyboardInterrupt",
                }:
                    bare.append(f"{path.name}:{node.lineno}")
    assert bare == []


def test_importing_slth_is_light() -> None:
    import subprocess

    code = (
        "import sys, slth; heavy = {'numba', 'scipy', 'ortools', 'matplotlib', 'cyclopts', 'rich', 'torch'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_oracles_import_nothing_from_slth() -> None:
    oracles = list((Path(__file__).parent / "oracles").glob("*.py"))
    assert oracles
    for path in oracles:
        assert not [t for t in imported(ast.parse(path.read_text())) if t.startswith("slth")], path
