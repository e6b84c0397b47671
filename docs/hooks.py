"""What the documentation site is made of besides its pages: others' texts and generated reference.

README, CONTRIBUTING and the like stay where they are and become pages; files of the repository
that pages link to are copied into the site. The reference is made of config/schema.yaml, of the
rules and of the library's docstrings. New pages in docs/ or its folders need no entry anywhere.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "README.md": "readme.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
    "results/README.md": "reference/files.md",
}
"""Texts from elsewhere in the repository, by the page that they become."""
SECTIONS = {
    "Tutorials": "tutorials",
    "How to": "how_to",
    "Explanation": "explanation",
    "Reference": "reference",
}
FIRST, LAST = (
    ["index.md", "readme.md"],
    ["limits.md", "architecture.md", "contributing.md", "changes.md"],
)
LINK = re.compile(r"(\]\()([^)#:\s]+)((?:#[^)\s]*)?\))")
_SIMPLE = ("type", "minimum", "maximum", "enum", "pattern", "known")


def on_files(files: Any, config: Any) -> Any:
    """Add generated pages, texts from elsewhere, and the files that pages link to."""
    from mkdocs.structure.files import File

    texts = {page: (ROOT / text).read_text(encoding="utf-8") for text, page in PAGES.items()}
    generated = {
        "reference/configuration.md": configuration(schema()),
        "reference/rules.md": rules(),
        **library(),
    }
    for page, text in {**texts, **generated}.items():
        files.append(File.generated(config, page, content=text))
    known = {file.src_uri for file in files}
    for page in [file for file in files if file.src_uri.endswith(".md")]:
        for target in sorted(set(linked(page.content_string, source_of(page.src_uri)))):
            name = f"repository/{target}"
            if target in PAGES or target.startswith("docs/") or name in known:
                continue
            if (ROOT / target).is_file():
                known.add(name)
                copy = (ROOT / target).read_bytes()
                files.append(File.generated(config, f"{name}.txt", content=copy))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Let links lead to where the site has what they name."""
    here = page.file.src_uri
    return LINK.sub(lambda link: link[1] + moved(link[2], here) + link[3], markdown)


def on_config(config: Any) -> Any:
    """Order the pages: sections by their folders, other pages of docs/ as topics."""
    folders = {
        title: sorted([f"{folder}/{file.name}" for file in (ROOT / "docs" / folder).glob("*.md")])
        for title, folder in SECTIONS.items()
    }
    folders["Reference"] += [
        "reference/configuration.md",
        "reference/rules.md",
        {"Files of a run": "reference/files.md"},
        {"Library": ["reference/library/index.md", *sorted(library_pages())]},
    ]
    topics = sorted(file.name for file in (ROOT / "docs").glob("*.md"))
    topics = [name for name in topics if name not in (*FIRST, *LAST)]
    config.nav = [
        {"Start": "index.md"},
        {"README": "readme.md"},
        *({title: pages} for title, pages in folders.items() if title != "Reference"),
        {"Topics": topics},
        {"Reference": folders["Reference"]},
        {"About": LAST},
    ]
    return config


def source_of(page: str) -> str:
    """Return where in the repository the text of a page is, as a path from its root."""
    return next((text for text, name in PAGES.items() if name == page), f"docs/{page}")


def linked(text: str, source: str) -> Iterator[str]:
    """Yield the paths in the repository that a text links to."""
    for link in LINK.finditer(text):
        yield posixpath.normpath(posixpath.join(posixpath.dirname(source), link[2]))


def moved(link: str, page: str) -> str:
    """Return a link of a page's text as it is from the page."""
    source = source_of(page)
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    if target in PAGES:
        there = PAGES[target]
    elif target.startswith("docs/"):
        there = target.removeprefix("docs/")
    elif (ROOT / target).is_file():
        there = f"repository/{target}.txt"
    else:
        return link  # which the site's check then names
    return posixpath.relpath(there, posixpath.dirname(page) or ".")


def schema() -> dict[str, Any]:
    """Return the schema of configurations and of the files of config/."""
    return yaml.safe_load((ROOT / "config/schema.yaml").read_text(encoding="utf-8"))


def configuration(said: Mapping[str, Any]) -> str:
    """Return the page of all keys of a configuration, as the schema describes them."""
    lines = [
        "# Configuration", "",
        "Made of [`config/schema.yaml`](../../config/schema.yaml), by which configurations and",
        "files of `config/` are checked. An unknown key is refused, with the nearest valid name.",
        "",
        "## A run", "", *_table(said, said),
    ]  # fmt: skip
    for name, part in said["$defs"].items():
        if "properties" in part:
            lines += ["", f"## {name}", "", *_table(part, said)]
    return "\n".join(lines) + "\n"


def _table(part: Mapping[str, Any], said: Mapping[str, Any]) -> list[str]:
    rows = [
        f"| `{key}` | {'yes' if needed else ''} | {_cell(words)} | {_cell(kind)} |"
        for key, needed, words, kind in _keys(part, said)
    ]
    return ["| key | required | what it is | values |", "|---|---|---|---|", *rows]


def _keys(
    part: Mapping[str, Any], said: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, bool, str, str]]:
    for key, entry in part.get("properties", {}).items():
        name, needed = f"{prefix}{key}", key in part.get("required", ())
        yield name, needed, str(entry.get("description", "")), _kind(entry, said)
        yield from _keys(entry, said, f"{name}.")


def _kind(entry: Mapping[str, Any], said: Mapping[str, Any]) -> str:
    if "$ref" in entry:
        name = entry["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})" if "properties" in said["$defs"][name] else f"`{name}`"
    words = [
        str(entry[key]) if key == "type" else f"{key} {entry[key]}"
        for key in _SIMPLE
        if key in entry
    ]
    found = [f"`{', '.join(words)}`"] if words else []
    inner = entry.get("items", entry.get("additionalProperties"))
    if isinstance(inner, Mapping):
        found.append(f"of {_kind(inner, said)}")
    return ", ".join(found)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def rules() -> str:
    """Return the page of all rules, in the order in which data flow."""
    snakefile = (ROOT / "Snakefile").read_text(encoding="utf-8")
    lines = [
        "# Rules", "",
        "Made of the rule files, in the order in which data flow. Each rule has one script of its",
        "name, one log, one benchmark file and its own environment.",
    ]  # fmt: skip
    for name in re.findall(r'^include: "(rules/\w+\.smk)"', snakefile, flags=re.M):
        text = (ROOT / name).read_text(encoding="utf-8")
        head = " ".join(line.lstrip("# ") for line in _head(text))
        found = list(_rules_in(text))
        if found:
            lines += [
                "",
                f"## {Path(name).name}",
                "",
                head,
                "",
                "| rule | what it does | environment |",
                "|---|---|---|",
            ]
            lines += [f"| `{rule}` | {_cell(words)} | {env} |" for rule, words, env in found]
    return "\n".join(lines) + "\n"


def _head(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if not line.startswith("#"):
            return
        yield line


def _rules_in(text: str) -> Iterator[tuple[str, str, str]]:
    _, *blocks = re.split(r"^rule (\w+):\n", text, flags=re.M)
    for name, block in zip(blocks[::2], blocks[1::2], strict=True):
        body = re.split(r"^(?=\S)", block, flags=re.M)[0]
        words = re.search(r'    message:\n        "(.*)"', body)
        env = re.search(r'    conda:\n        "\.\./envs/(.*)\.yaml"', body)
        yield name, words[1] if words else "asks for what others make", env[1] if env else ""


def packages() -> dict[str, list[str]]:
    """Return the public modules of the library by the package that they are in."""
    found: dict[str, list[str]] = {}
    for file in sorted((ROOT / "scripts/concerto").rglob("*.py")):
        parts = file.relative_to(ROOT / "scripts").with_suffix("").parts
        module = ".".join(part for part in parts if part != "__init__")
        if any(part.startswith("_") and part != "__init__" for part in parts):
            continue
        package = parts[1] if len(parts) > 2 else "concerto"
        found.setdefault(package, []).append(module)
    return found


def library_pages() -> list[str]:
    """Return the pages of the library's packages."""
    return [f"reference/library/{package}.md" for package in packages()]


def library() -> dict[str, str]:
    """Return the pages of the library: one of each package, and a list of them."""
    pages = {
        f"reference/library/{package}.md": f"# {package}\n\n"
        + "\n".join(f"::: {module}\n" for module in modules)
        for package, modules in packages().items()
    }
    rows = [
        f"- [{package}]({package}.md): {len(modules)} modules"
        for package, modules in packages().items()
    ]
    words = "Made of the docstrings of `scripts/concerto`, which knows nothing of Snakemake."
    text = "\n".join(["# Library", "", words, "", *rows, ""])
    return {"reference/library/index.md": text, **pages}
