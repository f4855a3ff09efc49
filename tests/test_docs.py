"""The documents agree with the code, and everything they point at exists."""

import json
import pkgutil
import re
import subprocess
from functools import cache
from pathlib import Path

import jsonschema
import pytest

from dispatch.snapshot import json_schema

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "docs" / "snapshot.schema.json"
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "data/sample/README.md"]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
QUOTED = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)
ROOMS = ("dispatch", "models", "optimization", "api")
FOLDERS = (*ROOMS, "tests", "docs", "data", "benchmarks", "notebooks", ".ci")

# Written in pieces, so that this file does not contain what it looks for.
FORBIDDEN = re.compile(
    r"(?<![\w.~-])/(?:" + "|".join(("work", "root", "home", "Users")) + r")/[\w.]"
    r"|[\w.-]*(?:" + "|".join(("artifactory", "devpi", "nexus")) + r")[\w-]*\."
    r"|--(?:extra-)?index" + r"-url|files\.python" + r"hosted\."
)


@cache
def tracked() -> list[Path]:
    """Files that are, or would be, in a commit."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.splitlines() if (path := ROOT / name).is_file()]


def anchors(document: Path) -> set[str]:
    """Headings as a Markdown viewer names them."""
    heads = re.findall(r"^#+ +(.+)$", FENCE.sub("", document.read_text()), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_published_schema_is_the_one_snapshots_are_held_to() -> None:
    """`make schema` writes it anew."""
    assert json.loads(SCHEMA.read_text()) == json.loads(json.dumps(json_schema()))


def test_the_sample_snapshot_keeps_the_published_schema() -> None:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    sample = json.loads((ROOT / "data/sample/snapshot.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(sample)


def test_the_published_schema_refuses_a_misspelt_field_and_text_for_a_number() -> None:
    check = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    sample = json.loads((ROOT / "data/sample/snapshot.json").read_text())
    sample["citty"] = "x"
    sample["orders"][0]["pickup"]["location"]["lat"] = "48.2"
    assert len(list(check.iter_errors(sample))) == 2


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    text = FENCE.sub("", document.read_text())
    lost = []
    for target in LINK.findall(text):
        if target.startswith(("https://", "http://")):
            continue
        name, _, anchor = target.partition("#")
        place = (document.parent / name).resolve() if name else document
        if not place.exists() or (anchor and anchor not in anchors(place)):
            lost.append(target)
    assert not lost


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_named_exists(document: Path) -> None:
    """Paths in backquotes that start with a folder of ours."""
    named = {
        quoted
        for quoted in QUOTED.findall(FENCE.sub("", document.read_text()))
        if re.fullmatch(r"[\w.-]+(?:/[\w.<>-]+)+/?", quoted) and quoted.split("/")[0] in FOLDERS
    }
    assert not {name for name in named if "<" not in name and not (ROOT / name).exists()}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_name_in_our_packages_is_real(document: Path) -> None:
    """`dispatch.config.DispatchConfig` and its like: the module exists and holds the name."""
    missing = []
    for quoted in QUOTED.findall(FENCE.sub("", document.read_text())):
        dotted = quoted.removesuffix("()")
        if not re.fullmatch(rf"(?:{'|'.join(ROOMS)})(?:\.\w+)+", dotted):
            continue
        try:
            pkgutil.resolve_name(dotted)
        except (ImportError, AttributeError):
            missing.append(dotted)
    assert not missing


def test_no_tracked_file_names_a_machine_or_a_private_registry() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {hit[0]}" for hit in FORBIDDEN.finditer(text)]
    assert not found


def test_notebooks_are_committed_without_outputs() -> None:
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert notebooks
    for file in notebooks:
        cells = json.loads(file.read_text())["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert not [cell for cell in code if cell["outputs"] or cell["execution_count"]], file.name
