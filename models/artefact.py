"""A folder of files that is read only if every byte is as it was written.

Its manifest states facts, and the size and SHA-256 of every other file; a digest covers the
manifest itself. That guards against damage and mix-ups, not against someone who can rewrite the
whole folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from models.errors import ArtefactError

MANIFEST: Final = "manifest.json"
FORMAT: Final = "courier-dispatch model 1"
SIZE_LIMIT: Final = 1 << 30
"""Largest file read, in bytes."""

_KEYS: Final = {"format", "facts", "files", "digest"}
_FILE_NAME: Final = re.compile(r"[a-z0-9_]+\.(bin|json)")


def render(data: Any) -> bytes:
    """Render JSON in the one spelling that is accepted back.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    return (json.dumps(data, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def write_artefact(folder: Path, facts: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Write `files` and a manifest with `facts` to `folder`, replacing an older artefact there.

    All is written beside the folder and then renamed: a reader finds the old artefact, the new one
    or, for an instant, none, but never a mixture. Same input, same bytes.

    Raises
    ------
    ArtefactError
        If `folder` exists and is neither empty nor an artefact, since it would be lost.
    """
    folder = folder.resolve()
    _refuse_foreign(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    old, new = workshop / "old", workshop / "new"
    try:
        new.mkdir()
        for name, content in {**files, MANIFEST: _manifest(facts, files)}.items():
            with (new / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    finally:
        shutil.rmtree(workshop)


def read_artefact(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the facts and the files of an artefact, each read once and verified as read.

    Raises
    ------
    ArtefactError
        Naming every damaged, missing, extra, linked or irregular file at once.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise ArtefactError(f"no model in {folder}: not a folder; train one or correct the path")
    problems: list[str] = []
    manifest = _read_manifest(folder, problems)
    stated = manifest["files"] if manifest else {}
    found = {entry.name for entry in folder.iterdir()} - {MANIFEST}
    if manifest:
        problems += [
            f"{name}: not in the manifest; remove it" for name in sorted(found - {*stated})
        ]
    files: dict[str, bytes] = {}
    for name, entry in stated.items():
        content = _read_file(folder / name, entry["bytes"], problems)
        if content is None:
            continue
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            problems.append(f"{name}: SHA-256 differs from the manifest")
        files[name] = content
    if manifest is None or problems:
        raise refusal(folder, problems)
    return manifest["facts"], files


def refusal(folder: Path, problems: Sequence[str]) -> ArtefactError:
    """Return the error that lists why the artefact in `folder` is not loaded."""
    return ArtefactError(
        f"model in {folder} refused; restore it from a good copy or train again", problems
    )


def _manifest(facts: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    body = {
        "format": FORMAT,
        "facts": facts,
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in files.items()
        },
    }
    return render({**body, "digest": hashlib.sha256(render(body)).hexdigest()})


def _read_manifest(folder: Path, problems: list[str]) -> dict[str, Any] | None:
    manifest: dict[str, Any]
    content = _read_file(folder / MANIFEST, None, problems)
    if content is None:
        return None
    try:
        manifest = json.loads(content)
        sound = isinstance(manifest, dict) and render(manifest) == content
    except (ValueError, RecursionError):
        sound = False
    if not sound:
        problems.append(f"{MANIFEST}: not as it was written")
        return None
    if manifest.get("format") != FORMAT:
        problems.append(f"{MANIFEST}: expected format {FORMAT!r}, got {manifest.get('format')!r}")
        return None
    if manifest.keys() != _KEYS:
        wrong = sorted(manifest.keys() ^ _KEYS)
        problems.append(f"{MANIFEST}: unknown or missing keys {', '.join(wrong)}")
        return None
    digest = manifest.pop("digest")
    if digest != hashlib.sha256(render(manifest)).hexdigest():
        problems.append(f"{MANIFEST}: its digest does not match its content")
        return None
    listed = isinstance(manifest["facts"], dict) and isinstance(manifest["files"], dict)
    if not listed or not all(_is_entry(*item) for item in manifest["files"].items()):
        problems.append(f"{MANIFEST}: facts or files are not of the expected shape")
        return None
    return manifest


def _is_entry(name: str, entry: Any) -> bool:
    return (
        _FILE_NAME.fullmatch(name) is not None
        and name != MANIFEST
        and isinstance(entry, dict)
        and entry.keys() == {"bytes", "sha256"}
        and type(entry["bytes"]) is int
        and isinstance(entry["sha256"], str)
    )


def _read_file(path: Path, stated_bytes: int | None, problems: list[str]) -> bytes | None:
    try:
        state = path.lstat()
        if not stat.S_ISREG(state.st_mode):
            problems.append(f"{path.name}: not a plain file (links are refused)")
            return None
        if stated_bytes not in (None, state.st_size):
            problems.append(f"{path.name}: {state.st_size} bytes, the manifest says {stated_bytes}")
            return None
        if state.st_size > SIZE_LIMIT:
            problems.append(f"{path.name}: larger than {SIZE_LIMIT} bytes")
            return None
        return path.read_bytes()
    except FileNotFoundError:
        problems.append(f"{path.name}: missing")
    except OSError as error:
        problems.append(f"{path.name}: {error.strerror}")
    return None


def _refuse_foreign(folder: Path) -> None:
    if not folder.exists():
        return
    if folder.is_dir():
        if not any(folder.iterdir()):
            return
        problems: list[str] = []
        manifest = _read_manifest(folder, problems)
        if manifest and {e.name for e in folder.iterdir()} <= {MANIFEST, *manifest["files"]}:
            return
    raise ArtefactError(
        f"{folder} is not a saved model and would be lost; choose another folder or move it away"
    )
