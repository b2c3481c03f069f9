"""The documents: what they link to is there, and the pages in Chinese say what those in English say."""

import importlib.util
import re

import pytest
from conftest import REPOSITORY

TRANSLATIONS = sorted([*REPOSITORY.glob("*.zh-CN.md"), *REPOSITORY.glob("docs/*.zh-CN.md")])
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("python/*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(document):
    targets = [target for target in LINK.findall(document.read_text()) if "://" not in target]
    assert [target for target in targets if not (document.parent / target).exists()] == []


def gallery():
    """The script that writes the gallery."""
    path = REPOSITORY / "docs/gallery/write.py"
    spec = importlib.util.spec_from_file_location("gallery", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_gallery_shows_what_its_notebook_shows():
    script = gallery()
    expected = script.files(script.NOTEBOOK)
    there = {path.name for path in script.FOLDER.iterdir() if path.suffix in (".md", ".png", ".gif")}
    assert there == set(expected)
    assert [name for name, contents in expected.items() if (script.FOLDER / name).read_bytes() != contents] == []


def bones(path):
    """What a translation leaves as it is, in order: ranks of headings, code without comments, commands in tables, figures."""
    found = []
    for line in path.read_text().splitlines():
        if heading := re.match("#+ ", line):
            found.append(heading[0])
        elif line.startswith("    ") or line.startswith(("let ", "net.")):
            found.append(re.split(r"\s{2,}(?:#|//) ", line)[0].strip())
        elif line.startswith("| "):
            first = line.split("|")[1]
            found.append(re.findall("`[^`]+`", first))
            found.append(re.findall(r"\d[\d.,]* (?:ms|s|MB)", line))
    return found


def links(path):
    """Where a page leads, whichever language the target is in."""
    return sorted(link.replace(".zh-CN.md", ".md") for link in LINK.findall(path.read_text()))


@pytest.mark.parametrize("chinese", TRANSLATIONS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_the_translation_is_whole(chinese):
    english = chinese.with_name(chinese.name.replace(".zh-CN", ""))
    assert bones(english) == bones(chinese)
    assert links(english) == links(chinese)
    # Names in code that one has and the other lacks.
    ours, theirs = (set(re.findall(r"`[^`\n]+`", path.read_text())) for path in (english, chinese))
    assert ours ^ theirs == set()


@pytest.mark.parametrize("page", ["MIRRORS.md", "MIRRORS.zh-CN.md"])
def test_the_files_of_data_sets_have_the_sums_that_the_code_asks_for(page):
    sets = [REPOSITORY / "runtime/src/data/sets" / name for name in ("mnist.rs", "cifar.rs")]
    asked = [re.findall(r'"([0-9a-f]{32})"', path.read_text().split("mod tests")[0]) for path in sets]
    assert re.findall("`([0-9a-f]{32})`", (REPOSITORY / "docs" / page).read_text()) == sum(asked, [])


def test_both_codes_of_the_nanogpt_page_are_those_that_run():
    page = (REPOSITORY / "docs/NANOGPT.md").read_text()
    programs = {"python": "tests/reference/ports/nanogpt.py", "rust": "tests/cells/port_nanogpt.cells"}
    for language, program in programs.items():
        text = (REPOSITORY / program).read_text()
        blocks = re.findall(f"```{language}\n(.*?)\n```", page, re.DOTALL)
        assert len(blocks) >= 10
        assert [block for block in blocks if block not in text] == []
