"""What holds the house: rules of this repository that no linter knows.

Each test names the file and line that breaks a rule, and what to do about it.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src" / "duologue"
MAX_LINES = 400
MAX_BOOLEANS = 2
MADE_FOLDERS = {"node_modules", "out", "build", "dist", "__pycache__"}

# Who may start a task that no TaskGroup owns; each cancels and awaits it on every way out.
# Everything else takes a TaskGroup.
TASK_OWNERS = {
    "io/driver.py": "the one task a session is",
    "tools/runner.py": "a tool that may outlive its time limit, kept until it has ended",
    "emulator/door.py": "a connection, kept by the server until it has ended",
    "emulator/link.py": "the watch over a link's backlog, ended with the link",
    "bench/relayclient.py": "the sides of a measured conversation, awaited when the time is over",
    "emulator/session.py": "the asks of a session's rules, cancelled with it",
    "emulator/workers.py": "reader and warm-up of a worker process, ended when it is closed",
}


def tracked(*suffixes: str) -> list[Path]:
    """Files of the repository with these endings, leaving out what was made or installed."""
    found = []
    for path in sorted(ROOT.rglob("*")):
        folders = path.relative_to(ROOT).parts[:-1]
        left_out = any(folder.startswith(".") or folder in MADE_FOLDERS for folder in folders)
        if path.suffix in suffixes and not left_out and path.is_file():
            found.append(path)
    return found


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Each module of the package, by its path within it, parsed."""
    for path in sorted(SRC.rglob("*.py")):
        yield path.relative_to(SRC).as_posix(), ast.parse(path.read_text(encoding="utf-8"), str(path))


def dotted(node: ast.expr) -> str:
    """``a.b.c`` of an expression, with calls shown as ``()``; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Call):
        return f"{dotted(node.func)}()"
    return ""


# --- source ----------------------------------------------------------------------------------------------------------


def test_a_long_file_says_why() -> None:
    """Past 400 lines a file is usually two ideas; one that is not says so in a line ``# long: ...``."""
    long = []
    for path in SRC.rglob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        if len(lines) > MAX_LINES and not any(re.match(r"\s*# long: \S", line) for line in lines):
            long.append(f"{name_of(path)}: {len(lines)} lines")
    assert not long


def is_frozen(node: ast.ClassDef) -> bool:
    """Whether instances cannot change: frozen dataclasses and structs, typed dicts, protocols."""
    keywords = list(node.keywords)
    for decorator in node.decorator_list:
        keywords += decorator.keywords if isinstance(decorator, ast.Call) else []
    frozen = any(k.arg == "frozen" and isinstance(k.value, ast.Constant) and k.value.value for k in keywords)
    bases = {dotted(base).rpartition(".")[2] for base in node.bases}
    return frozen or bool(bases & {"TypedDict", "Protocol", "NamedTuple"})


def is_bool(annotation: ast.expr) -> bool:
    return isinstance(annotation, ast.Name) and annotation.id == "bool"


def boolean_attributes(node: ast.ClassDef) -> set[str]:
    """Names of attributes that an instance of this class can switch between True and False."""
    names = set()
    for part in node.body:  # annotated fields
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name) and is_bool(part.annotation):
            names.add(part.target.id)
    for inner in ast.walk(node):
        targets: list[ast.expr] = []
        if (
            isinstance(inner, ast.Assign)
            and isinstance(inner.value, ast.Constant)
            and isinstance(inner.value.value, bool)
        ):
            targets = inner.targets
        elif isinstance(inner, ast.AnnAssign) and is_bool(inner.annotation):
            targets = [inner.target]
        names |= {
            target.attr
            for target in targets
            if isinstance(target, ast.Attribute) and dotted(target.value) == "self"
        }
    return names


def test_state_is_a_table_and_not_a_heap_of_booleans() -> None:
    heaps = []
    for module, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not is_frozen(node):
                names = boolean_attributes(node)
                if len(names) > MAX_BOOLEANS:
                    heaps.append(f"{module}:{node.lineno} {node.name}: {sorted(names)}")
    assert not heaps


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "class A:\n    def f(self):\n        self.a = True\n        self.b = False\n        self.b = True",
            {"a", "b"},
        ),
        (
            "class A:\n    a: bool = False\n    b: int = 0\n    def f(self):\n        self.c: bool = g()",
            {"a", "c"},
        ),
        ("class A:\n    def f(self, other):\n        other.a = True", set()),
    ],
)
def test_boolean_attributes_are_found(source: str, expected: set[str]) -> None:
    (node,) = ast.parse(source).body
    assert isinstance(node, ast.ClassDef)
    assert boolean_attributes(node) == expected


def test_a_task_has_an_owner() -> None:
    """``asyncio.create_task`` outside the list would be a task that nobody awaits when things go wrong."""
    starters = {
        *(f"asyncio.{name}" for name in ("create_task", "ensure_future")),
        *("loop.create_task", "self._loop.create_task", "asyncio.get_running_loop().create_task"),
    }
    strays = [
        f"{module}:{node.lineno}"
        for module, tree in modules()
        if module not in TASK_OWNERS
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and dotted(node.func) in starters
    ]
    assert not strays


def imported_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_test_oracles_are_not_imported_by_the_package() -> None:
    """What judges us may not be what we are made of (ADR 7)."""
    oracles = ("google.genai", "google.ai", "hypothesis", "livekit", "pipecat")
    users = [
        f"{module}: {name}"
        for module, tree in modules()
        for name in imported_names(tree)
        if name.startswith(tuple(f"{oracle}." for oracle in oracles)) or name in oracles
    ]
    assert not users


def test_import_is_light() -> None:
    """The bare import pulls in nothing heavy, and takes under 150 ms beyond starting Python."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "import_time.py"), "--json"],
        check=True,
        capture_output=True,
        text=True,
    )
    figures = json.loads(done.stdout)
    assert figures["heavy_modules"] == []
    assert figures["over_bare_ms"] < 150


# --- requirements and the set-up -------------------------------------------------------------------------------------


def requirement_files(suffix: str) -> list[Path]:
    return sorted((ROOT / "requirements").glob(f"*{suffix}"))


@pytest.mark.parametrize("path", requirement_files(".txt"), ids=lambda path: path.name)
def test_requirements_are_pinned_by_hash_and_name_no_index(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"(?m)^\s*-", re.sub(r"(?m)^    --hash=sha256:[0-9a-f]{64}( \\)?$", "", text))
    entries = re.findall(r"(?m)^[^\s#](?:.*\\\n)*.*$", text)
    assert entries
    for entry in entries:
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S+( ; .*)? \\\n", entry), entry.partition("\n")[0]
        assert "--hash=sha256:" in entry, entry.partition("\n")[0]


@pytest.mark.parametrize("path", requirement_files(".in"), ids=lambda path: path.name)
def test_what_was_asked_for_is_locked(path: Path) -> None:
    """An ``.in`` file that was edited without ``make lock`` would install something else in CI."""
    locked = path.with_suffix(".txt").read_text(encoding="utf-8")
    for line in path.read_text(encoding="utf-8").splitlines():
        wanted = line.partition("#")[0].strip()
        if wanted and not wanted.startswith("-"):
            name = re.match(r"[A-Za-z0-9._-]+", wanted)
            assert name
            assert re.search(rf"(?mi)^{name[0]}==", locked), f"{wanted}: run `make lock`"


def test_no_torch() -> None:
    """It would multiply the set-up's size by ten; the speech engines do without."""
    locked = "".join(path.read_text(encoding="utf-8") for path in requirement_files(".txt"))
    assert not re.search(r"(?m)^(torch|nvidia-|triton)", locked)


def test_nothing_names_a_registry_or_one_machine() -> None:
    """Any index that serves the pinned bytes will do, and any folder."""
    hosts = [
        ".".join(parts)
        for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"))
    ]
    paths = [
        "/".join(("", *parts, "")) for parts in (("work", "main"), ("work", "shared"), ("home",), ("root",))
    ]
    texts = tracked(".py", ".md", ".toml", ".txt", ".in", ".sh", ".json", ".yaml", ".mjs")
    named = [
        f"{name_of(path)}: {word}"
        for path in [*texts, ROOT / "Makefile", ROOT / ".ci" / "run"]
        for word in hosts + paths
        if word in path.read_text(encoding="utf-8")
    ]
    assert not named


# --- examples and pages ----------------------------------------------------------------------------------------------


def example_files() -> list[Path]:
    return [
        path
        for folder in ("examples", "benchmarks", "scripts")
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]


@pytest.mark.parametrize("path", example_files(), ids=name_of)
def test_examples_and_scripts_compile(path: Path) -> None:
    compile(path.read_text(encoding="utf-8"), str(path), "exec")


def python_snippets() -> list[tuple[str, str]]:
    snippets = []
    for path in tracked(".md"):
        text = path.read_text(encoding="utf-8")
        for found in re.finditer(r"(?ms)^```python\n(.*?)^```$", text):
            line = text.count("\n", 0, found.start()) + 1
            snippets.append((f"{name_of(path)}:{line}", found[1]))
    return snippets


@pytest.mark.parametrize(("where", "code"), python_snippets(), ids=[where for where, _ in python_snippets()])
def test_python_in_pages_compiles(where: str, code: str) -> None:
    compile(code, where, "exec")


def test_names_in_pages_exist() -> None:
    """A page may import from ``duologue`` only what is there."""
    import duologue

    absent = []
    for where, code in python_snippets():
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and node.module == "duologue":
                absent += [
                    f"{where}: {alias.name}" for alias in node.names if not hasattr(duologue, alias.name)
                ]
            if isinstance(node, ast.Attribute) and dotted(node.value) == "duologue":
                absent += [f"{where}: {node.attr}"] if not hasattr(duologue, node.attr) else []
    assert not absent


def without_code(text: str) -> str:
    """The page without fenced blocks and code spans, where brackets are not links."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"(?ms)^```.*?^```$", "", text))


def anchors(text: str) -> set[str]:
    """Fragments one can jump to in a page: explicit ids and headings as hosts write them."""
    found = set(re.findall(r'id="([^"]+)"', text))
    for heading in re.findall(r"(?m)^#+ (.+)$", text):
        found.add(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-"))
    return found


@pytest.mark.parametrize("path", tracked(".md"), ids=name_of)
def test_relative_links_resolve(path: Path) -> None:
    def resolves(target: str) -> bool:
        file, _, fragment = target.partition("#")
        page = (path.parent / file).resolve() if file else path
        if not page.exists():
            return False
        return not fragment or page.suffix != ".md" or fragment in anchors(page.read_text(encoding="utf-8"))

    text = without_code(path.read_text(encoding="utf-8"))
    targets = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text)
    assert not [target for target in targets if not re.match(r"[a-z]+:", target) and not resolves(target)]


# --- decisions and quirks --------------------------------------------------------------------------------------------

DECISIONS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.name)
def test_a_decision_has_its_four_parts_and_is_listed(path: Path) -> None:
    headings = re.findall(r"(?m)^## (.+)$", path.read_text(encoding="utf-8"))
    assert headings == ["Context", "Decision", "Consequences", "What would change our mind"]
    assert f"]({path.name})" in (path.parent / "README.md").read_text(encoding="utf-8")


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def quirk_rows() -> list[list[str]]:
    page = (ROOT / "docs" / "quirks.md").read_text(encoding="utf-8")
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if "</a>Q-" in line
    ]


def test_quirks_are_complete_rows() -> None:
    numbers, names = [], []
    for row in quirk_rows():
        assert len(row) == 6, row
        found = re.fullmatch(r'<a id="q-(\d{3})"></a>Q-(\d{3})<br>Q-([a-z0-9-]+)', row[0])
        assert found, row[0]
        assert found[1] == found[2]
        assert all(row), row
        assert row[5] in {"recorded", "documented", "reported", "guessed"}, row[0]
        numbers.append(int(found[1]))
        names.append(found[3])
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    assert len(names) == len(set(names))


def test_quirks_named_in_code_are_in_the_register() -> None:
    """``Q-late-content`` in a comment is a promise that one can look it up."""
    known = set(re.findall(r"Q-[a-z0-9-]+", "".join(row[0] for row in quirk_rows())))
    named = {
        f"{name_of(path)}: {name}"
        for folder in ("src", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if path != Path(__file__)
        for name in re.findall(r"\bQ-[a-z0-9][a-z0-9-]*[a-z0-9]", path.read_text(encoding="utf-8"))
        if name not in known
    }
    assert not named


def exists_as_module(name: str) -> bool:
    return (SRC / f"{name}.py").is_file() or (SRC / name).is_dir()


def functions_of_tests() -> Iterator[tuple[str, str]]:
    """Each test of the repository by its name for pytest, and its source."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            holder = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
            for inner in node.body if isinstance(node, ast.ClassDef) else [node]:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and inner.name.startswith(
                    "test_"
                ):
                    source = ast.get_source_segment(text, inner) or ""
                    yield f"{name_of(path)}::{holder}{inner.name}", source


def test_quirks_name_rooms_and_tests_that_exist() -> None:
    """The register points at code; when code moves, so does its row."""
    known = {reference for reference, _ in functions_of_tests()}
    astray = []
    for row in quirk_rows():
        quirk = row[0].partition("<br>")[2]
        astray += [
            f"{quirk}: {name}" for name in re.findall(r"`([^`]+)`", row[3]) if not exists_as_module(name)
        ]
        tests = re.findall(r"`([^`]+)`", row[4])
        astray += (
            [f"{quirk}: {test}" for test in tests if test not in known] if tests else [f"{quirk}: no test"]
        )
    assert not astray


def test_quirks_name_every_test_that_names_them() -> None:
    """So that the register shows what holds a row without a search."""
    listed = {row[0].partition("<br>")[2]: set(re.findall(r"`([^`]+)`", row[4])) for row in quirk_rows()}
    missing = [
        f"{quirk}: `{reference}`"
        for reference, source in functions_of_tests()
        for quirk in set(re.findall(r"\bQ-[a-z0-9][a-z0-9-]*[a-z0-9]", source))
        if not reference.startswith(f"{name_of(Path(__file__))}::")
        and quirk in listed
        and reference not in listed[quirk]
    ]
    assert not missing


# --- counters --------------------------------------------------------------------------------------------------------


def first_argument(call: ast.Call) -> ast.expr | None:
    return call.args[0] if call.args else None


def counted_names(tree: ast.Module) -> set[str]:
    """Names given to ``outlet.count(...)``, also through a function that passes its argument on."""
    names: set[str] = set()
    givers = {"count"}
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name != "count":
            parameters = {argument.arg for argument in function.args.args}
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and dotted(call.func).endswith(".count"):
                    given = first_argument(call)
                    if isinstance(given, ast.Name) and given.id in parameters:
                        givers.add(function.name)
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and dotted(call.func).rpartition(".")[2] in givers:
            given = first_argument(call)
            if isinstance(given, ast.Constant) and isinstance(given.value, str):
                names.add(given.value)
    return names


def test_names_of_counters_are_found_also_when_they_are_passed_on() -> None:
    source = """
def lost(self, counter, ms):
    self._outlet.count(counter, ms)

def drop(self):
    self.lost("a_ms", 1)
    self._outlet.count("b")
"""
    assert counted_names(ast.parse(source)) == {"a_ms", "b"}


def test_counters_are_in_the_register_and_nothing_else_is() -> None:
    """Whoever reads ``session.counters`` looks a name up in the table of docs/quirks.md."""
    page = (ROOT / "docs" / "quirks.md").read_text(encoding="utf-8")
    table = page.partition("## Counters")[2].partition("\n## ")[0]
    listed = {found[1]: found[2] for found in re.finditer(r"(?m)^\| `([a-z_]+)` \| ([^|]+) \|", table)}
    core = {name for module, tree in modules() if module.startswith("core/") for name in counted_names(tree)}
    assert core
    assert core == {name for name, where in listed.items() if where == "core"}
    words = set(
        re.findall(r"[a-z_]+", "".join(path.read_text(encoding="utf-8") for path in SRC.rglob("*.py")))
    )
    assert set(listed) <= words


def test_the_changelog_has_an_open_section_and_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in text
