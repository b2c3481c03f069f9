#!/usr/bin/env python3
"""Writes names.txt from the pages of the standard library: `rustup component add rust-docs`, then `python3 write.py`.

A block of names.txt begins with `[mod PATH]` or with `[type NAMES<PARAMETERS>: PARENTS]`, and has one declaration a line.
The parents of a type are what it dereferences to, and the traits of it that have methods worth an offer.
"""

import html
import re
import subprocess
from pathlib import Path

# What programs in notebooks do not name.
SKIPPED_MODULES = {"alloc", "arch", "ascii", "async_iter", "autodiff", "bstr", "intrinsics", "os", "panicking", "pat",
                   "prelude", "primitive", "random", "simd", "unsafe_binder", "f16", "f128", "i8", "i16", "i32", "i64",
                   "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize", "range", "field"}
SKIPPED_TRAITS = {"Drop"}
SKIPPED_TYPES = {"pointer", "reference", "never", "unit", "fn", "tuple", "f16", "f128"}
# One page for all numbers whose methods are the same but for the name.
SAME = {"i64": ["i8", "i16", "i32", "i128", "isize"], "u64": ["u16", "u32", "u128", "usize"], "f64": ["f32"]}
TRAITS = {"BufRead", "Clone", "Default", "DoubleEndedIterator", "Error", "ExactSizeIterator", "Extend", "From",
          "FromIterator", "FromStr", "IntoIterator", "Iterator", "Ord", "PartialOrd", "Read", "Seek", "ToOwned",
          "ToString", "Write"}
# The longest pattern of a macro, in characters.
LONGEST = 300
UNSTABLE = ("stab unstable", "Experimental", "stab deprecated", "Deprecat")

sysroot = subprocess.run(["rustc", "--print", "sysroot"], check=True, capture_output=True, text=True).stdout.strip()
STD = Path(sysroot, "share/doc/rust/html/std")


def plain(text):
    """Text without tags; a type whose name others have as well is told with its module."""
    text = re.sub(r'title="(?:struct|enum|trait) [\w:]*?(\w+::\w+)">(\w+)</a>',
                  lambda it: f">{it[1] if it[2] in AMBIGUOUS else it[2]}</a>", text)
    text = text.replace('<div class="where">', " ")
    text = html.unescape(re.sub(r"<[^>]*>", "", text)).replace("\xa0", " ").replace("ⓘ", "")
    text = " ".join(text.split()).replace("( ", "(").replace(", )", ")").replace("&'_ ", "&")
    return re.sub(r",$", "", text)


def is_stable(text):
    return not any(mark in text for mark in UNSTABLE)


def declaration(page):
    return plain(re.search(r'item-decl"><code>(.*?)</code></pre>', page, re.S).group(1))


def parameters(decl, name):
    """`<T, A>` of `pub struct Vec<T, A = Global> where ..`."""
    found = re.search(rf"\b{name}<((?:[^<>]|<[^<>]*>)*)>", decl)
    names = [re.split(r"[:=]", part)[0].replace("const ", "").strip() for part in found.group(1).split(",")] if found else []
    names = [name for name in names if re.fullmatch(r"\w+", name)]
    return f"<{', '.join(names)}>" if names else ""


def members(chunk):
    """The declarations of the stable functions and constants in a part of a page."""
    for part in re.split(r'<section id="(?=(?:ty)?method\.|associatedconstant\.)', chunk)[1:]:
        head = re.search(r'<h4 class="code-header">(.*?)</h4>', part, re.S)
        text = plain(head.group(1)).removeprefix("pub ")
        if is_stable(part.split('<div class="docblock">')[0]) and "unsafe " not in text:
            yield text.removeprefix("const ") if "fn " in text else text.split(" = ")[0]


def by_name(declarations):
    """The first of those that have one name: impls for other parameters have the same methods."""
    first = {}
    for text in declarations:
        first.setdefault(re.match(r"\w+ \w+", text)[0], text)
    return list(first.values())


def subject(head):
    """The type of `impl<T> Clone for &mut Vec<T> where ..`, and the trait."""
    head = re.sub(r"\bwhere\b.*", "", head)
    head = re.sub(r"^impl(<(?:[^<>]|<(?:[^<>]|<[^<>]*>)*>)*>)?\s*", "", head)
    trait, _, of = head.rpartition(" for ")
    of = re.sub(r"^(&('\w+ )?(mut )?)+", "", of)
    if "u8" in of[1:] or trait.startswith("!"):
        return "", trait
    name = "slice" if of.startswith("[") and ";" not in of else "array" if of.startswith("[") else of
    return re.split(r"[<\s]", name)[0].split("::")[-1], re.split(r"[<\s]", trait)[0]


def type_block(name, page):
    """A type's own members, and what else it has by others."""
    own, parents = [], []
    decl = declaration(page) if "item-decl" in page else name
    for part in re.split(r'(?=<section id="variant\.\w+" class="variant">)', page)[1:]:
        if is_stable(part.split('<div class="docblock">')[0]):
            text = plain(re.search(r'<h3 class="code-header">(.*?)</h3>', part, re.S).group(1))
            own.append("variant " + re.sub(r" = .*", "", text))
    for chunk in re.split(r'(?=<section id="impl-|<h2 id=")', page):
        head = re.search(r'^<section id="impl-.*?<h3 class="code-header">(.*?)</h3>', chunk, re.S)
        if not head:
            continue
        text = plain(re.sub(r"<div class=\"where\">.*", "", head.group(1), flags=re.S))
        of, trait = subject(text)
        if not trait:
            is_own = name not in ("slice", "str") or not re.match(r"impl(<[^>]*>)? (Box<|\[(Maybe|Char|u8|f32|f64))", text)
            if is_own:
                own += members(chunk)
        elif of == name and is_stable(chunk.split('class="impl-items"')[0]):
            if trait == "Deref":
                target = plain(re.search(r'type <a[^>]*>Target</a> = (.*?)</h4>', chunk, re.S).group(1))
                parents.insert(0, "slice<T>" if target.startswith("[") else target)
            if trait == "Iterator":
                parents.append(trait)
                if item := re.search(r'type <a[^>]*>Item</a> = (.*?)</h4>', chunk, re.S):
                    own.append(f"type Item = {renamed(plain(item.group(1)), text, decl, name)}")
            elif trait.endswith("Display"):
                parents.append("ToString")
            elif trait.split("::")[-1] in TRAITS:
                parents.append(trait)
    if name == "array":
        parents.insert(0, "slice<T>")
    generic = {"slice": "<T>", "array": "<T, N>"}.get(name) or parameters(decl, name)
    return generic, list(dict.fromkeys(parents)), by_name(own)


def renamed(item, head, decl, name):
    """The item of an iterator by the parameters of its type's declaration: an impl may call them otherwise."""
    here, there = (parameters(text, name)[1:-1].split(", ") for text in (head.rpartition(" for ")[2], decl))
    for own, declared in zip(here, there):
        item = re.sub(rf"\b{own}\b", declared, item) if own else item
    return item


def trait_block(page):
    page = re.split(r'<h2 id="(?:foreign-impls|implementations|implementors|object-safety|dyn-compatibility)', page)[0]
    return by_name(members(page))


def module(path):
    """The stable names of a module, and its types and traits with their pages."""
    page = (STD / path / "index.html").read_text()
    for entry in re.findall(r'<dt>(<a class="(\w+)" href="([^"]+)".*?)</dt>', page, re.S):
        text, kind, href = entry
        name = re.split(r"[./]", href)[1] if kind != "mod" else href.split("/")[0]
        skipped = {"mod": SKIPPED_MODULES, "primitive": SKIPPED_TYPES, "trait": SKIPPED_TRAITS}.get(kind, ())
        if is_stable(text) and ".." not in href and kind != "keyword" and name not in skipped:
            yield kind, name, STD / path / href


def pages(path=""):
    """All modules with what is in them."""
    entries = list(module(path))
    yield path, entries
    for kind, name, _ in entries:
        if kind == "mod":
            yield from pages(f"{path}/{name}" if path else name)


def ambiguous():
    """Names of several types, which are not one type with several pages."""
    types = {}
    for _, entries in pages():
        for kind, name, file in entries:
            if kind in ("struct", "enum", "trait"):
                source = re.search(r'class="src" href="[./]*(src/[^"]+)"', file.read_text()).group(1)
                types.setdefault(name, set()).add(source)
    return {name for name, sources in types.items() if len(sources) > 1}


def module_block(path, entries):
    lines = []
    for kind, name, file in entries:
        if kind in ("fn", "constant", "static"):
            if (text := declaration(file.read_text())) and "unsafe " not in text:
                lines.append(text.removeprefix("pub ").replace("const fn", "fn").split(" = ")[0].rstrip(";"))
        elif kind == "macro":
            rules = re.search(r"\{\s*(.*)\}", declaration(file.read_text()), re.S)
            rules = rules.group(1).strip() if rules else ""
            lines.append(f"macro {name}! {rules if len(rules) < LONGEST else ''}".strip())
        elif kind != "primitive":
            lines.append(f"{kind} {name}")
    return [f"[mod {'::'.join(['std', *path.split('/')]).rstrip(':')}]", *lines]


def blocks():
    seen = set()
    for path, entries in pages():
        yield module_block(path, entries)
        for kind, name, file in entries:
            full = f"{path.split('/')[-1]}::{name}" if name in AMBIGUOUS else name
            if kind == "trait":
                head, own = f"[type {full}]", trait_block(file.read_text())
            elif kind in ("struct", "enum", "primitive") and not any(name in others for others in SAME.values()):
                generic, parents, own = type_block(name, file.read_text())
                own = [text.replace("[u8; 8]", f"[u8; size_of::<{name}>()]") if name in SAME else text for text in own]
                names = " ".join([full, *SAME.get(name, [])])
                head = f"[type {names}{generic}{': ' if parents else ''}{', '.join(parents)}]"
                own = own or parents and [""]
            else:
                continue
            block = [head, *filter(None, own)]
            if own and "\n".join(block) not in seen:
                seen.add("\n".join(block))
                yield block


AMBIGUOUS = set()
AMBIGUOUS = ambiguous()
text = "\n\n".join("\n".join(block) for block in blocks()) + "\n"
(Path(__file__).parent / "names.txt").write_text(text)
