//! Names of the standard library, from the pages that the toolchain brings along where its `rust-docs` are installed.

use std::path::Path;

use crate::assist::runtime_index::Wanted;

/// Where the pages are for everybody.
const ONLINE: &str = "https://doc.rust-lang.org/std/";

/// What the pages in a folder say of a name: its declaration, the first paragraph, and the address.
pub(super) fn find(docs: &Path, wanted: &Wanted) -> Option<String> {
    let index = std::fs::read_to_string(docs.join("all.html")).ok()?;
    let href = page(&index, wanted, &wanted.name).map(|href| (href, String::new()));
    // `Vec::push` is on the page of `Vec`.
    let (href, anchor) = href.or_else(|| {
        let owner = wanted.owner.as_ref()?;
        let outer = Wanted::parse(wanted.path.strip_suffix(&wanted.name)?.trim_end_matches([':', '.']));
        let href = page(&index, &outer, owner)?;
        let html = std::fs::read_to_string(docs.join(&href)).ok()?;
        let anchors = ["method", "tymethod", "associatedconstant"].map(|kind| format!("{kind}.{}", wanted.name));
        anchors.into_iter().find(|anchor| html.contains(&format!("id=\"{anchor}\""))).map(|anchor| (href, anchor))
    })?;
    let html = std::fs::read_to_string(docs.join(&href)).ok()?;
    let (from, begin, end, fragment) = if anchor.is_empty() {
        (0, "item-decl\"><code>", "</code></pre>", String::new())
    } else {
        (html.find(&format!("id=\"{anchor}\""))?, "<h4 class=\"code-header\">", "</h4>", format!("#{anchor}"))
    };
    let part = &html[from..];
    let declaration = between(part, begin, end);
    let paragraph = between(part, "<div class=\"docblock\">", "</div>").and_then(|block| between(block, "<p>", "</p>"));
    let parts = [declaration.map(plain), paragraph.map(plain), Some(format!("{ONLINE}{href}{fragment}"))];
    Some(parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n"))
}

/// The page of a name: of several the one whose path was asked for, else the one nearest to the root.
fn page(index: &str, wanted: &Wanted, name: &str) -> Option<String> {
    let links = index.split("<a href=\"").skip(1).filter_map(|link| {
        let (href, rest) = link.split_once("\">")?;
        let (path, _) = rest.split_once("</a>")?;
        let is_it = path.rsplit("::").next() == Some(name) && (!wanted.is_macro || href.contains("macro."));
        (is_it && !href.contains("..")).then_some((href, path))
    });
    let whole = wanted.path.trim_start_matches("std::");
    let order = |(href, path): &(&str, &str)| {
        // Macros and functions share names with modules and types that are asked for more often.
        let kind = ["struct.", "enum.", "trait.", "fn.", "macro."].iter().position(|kind| href.contains(kind));
        (!path.ends_with(whole), path.matches("::").count(), kind.unwrap_or(9), path.len())
    };
    links.min_by_key(order).map(|(href, _)| href.to_owned())
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let from = text.find(open)? + open.len();
    let len = text[from..].find(close)?;
    Some(&text[from..from + len])
}

/// HTML without its tags.
fn plain(html: &str) -> String {
    let html = html.replace("<div class=\"where\">", "\n");
    let mut text = String::new();
    let mut rest = html.as_str();
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        rest = rest[at..].split_once('>').map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    text.replace("&nbsp;", " ").replace("&amp;", "&").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "<a href=\"fmt/struct.Error.html\">fmt::Error</a><a href=\"vec/struct.Vec.html\">vec::Vec</a>\
                         <a href=\"io/struct.Error.html\">io::Error</a><a href=\"macro.vec.html\">vec</a>";

    #[test]
    fn a_page_is_found_by_name_or_path() {
        let page = |path: &str| {
            let wanted = Wanted::parse(path);
            page(INDEX, &wanted, &wanted.name)
        };
        assert_eq!(page("Vec").as_deref(), Some("vec/struct.Vec.html"));
        assert_eq!(page("std::io::Error").as_deref(), Some("io/struct.Error.html"));
        assert_eq!(page("vec").as_deref(), Some("macro.vec.html"));
        assert_eq!(page("vec!").as_deref(), Some("macro.vec.html"));
        assert_eq!(page("Vec!"), None);
        assert_eq!(page("Nothing"), None);
    }

    #[test]
    fn what_a_page_says_is_plain_text() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("vec")).expect("a folder");
        std::fs::write(folder.path().join("all.html"), INDEX).expect("writes");
        let html = "<pre class=\"rust item-decl\"><code>pub struct Vec&lt;T&gt;</code></pre><div class=\"docblock\"><p>A \
                    <b>growable</b> array.</p></div><section id=\"method.push\"><h4 class=\"code-header\">pub fn \
                    push(&amp;mut self) -&gt; T<div class=\"where\">where T: Copy</div></h4><div \
                    class=\"docblock\"><p>Appends.</p></div>";
        std::fs::write(folder.path().join("vec/struct.Vec.html"), html).expect("writes");
        let find = |path: &str| find(folder.path(), &Wanted::parse(path)).expect("is there");
        let address = format!("{ONLINE}vec/struct.Vec.html");
        assert_eq!(find("Vec"), format!("pub struct Vec<T>\n\nA growable array.\n\n{address}"));
        assert_eq!(
            find("Vec::push"),
            format!("pub fn push(&mut self) -> T\nwhere T: Copy\n\nAppends.\n\n{address}#method.push")
        );
    }
}
