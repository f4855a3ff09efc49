"""The notebook runs from top to bottom, in a kernel of its own, and draws what it says."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.name)
def test_the_notebook_runs_and_draws_its_pictures(file: Path, tmp_path: Path) -> None:
    """In a folder of its own, so that it cannot lean on or litter the checkout."""
    notebook = nbformat.read(file, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=60, kernel_name="python3", resources=resources).execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    drawing = [cell for cell in code if "show()" in cell.source or "display(" in cell.source]
    assert len(drawing) == 3
    for cell in drawing:
        assert any("image/png" in output.get("data", {}) for output in cell.outputs)
    assert not [o for cell in code for o in cell.outputs if o.get("name") == "stderr"]
