//! Imports between the files of `src` run one way: no file depends on itself through others.
//!
//! Only paths that begin with `crate::`, `self::` or `super::` count. A path through a re-export of
//! the crate root, such as `crate::Client`, hides the file that it needs, so it is a problem too.
//! Tests within `src`, comments and the roots, `lib.rs` and `main.rs`, are left out. The program in
//! `src/bin` is a crate of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the crate, each with the modules that it imports from.
type Graph = BTreeMap<String, BTreeSet<String>>;

#[test]
fn there_is_no_circle_and_no_path_through_the_root() {
    for (root, files) in [("src", 20), ("src/bin/contiguity", 7)] {
        let sources = sources(root);
        assert!(sources.len() > files, "{} files in {root}", sources.len());
        check(&sources);
    }
}

#[track_caller]
fn check(sources: &BTreeMap<String, String>) {
    let mut graph = Graph::new();
    let mut problems = Vec::new();
    for (module, text) in sources {
        let imports = graph.entry(module.clone()).or_default();
        for path in paths(module, text) {
            match module_of(&path, sources) {
                Some(other) => drop(imports.insert(other)),
                None => problems.push(format!("{module} uses crate::{path}, a re-export of the root")),
            }
        }
        imports.remove(module);
    }
    problems.extend(circle(graph));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The text of each module of the crate in this folder, by its path: `otp::new`.
fn sources(root: &str) -> BTreeMap<String, String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
    let mut folders = vec![src.clone()];
    let mut sources = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of src") {
            let path: PathBuf = entry.expect("an entry of a folder").path();
            if path == src.join("bin") || path == src.join("lib.rs") || path == src.join("main.rs") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let module = path.strip_prefix(&src).expect("a path below src").with_extension("");
                let module = module.to_str().expect("UTF-8").replace('/', "::");
                sources.insert(module, without_tests_and_comments(&fs::read_to_string(path).expect("UTF-8")));
            }
        }
    }
    sources
}

/// Modules within a file begin and end at the left margin, as rustfmt writes them.
fn without_tests_and_comments(text: &str) -> String {
    let mut kept = String::new();
    let mut is_inside = false;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        is_inside = line != "}" && (is_inside || (line.contains("mod ") && line.ends_with('{')));
        if line.starts_with("#[cfg(") && line.contains("test") {
            lines.find(|line| *line == "}");
        } else {
            let code = line.split("//").next().unwrap_or_default();
            // The parent of a module within the file is the file.
            kept.push_str(&if is_inside { code.replace("super::", "self::") } else { code.to_owned() });
            kept.push(' ');
        }
    }
    kept
}

/// The paths that a module names, from the crate root, with the groups of `use` written out.
fn paths(module: &str, text: &str) -> Vec<String> {
    let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
    let mut paths = Vec::new();
    for (start, base) in [("crate::", ""), ("super::", parent), ("self::", module)] {
        for (at, _) in text.match_indices(start) {
            // The second `super::` of a path belongs to the first.
            if !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                expand(base, &text[at + start.len()..], &mut paths);
            }
        }
    }
    paths
}

/// Reads one path, or a group of them in braces, and returns what follows.
fn expand<'t>(base: &str, text: &'t str, paths: &mut Vec<String>) -> &'t str {
    let join = |name: &str| if base.is_empty() { name.to_owned() } else { format!("{base}::{name}") };
    if let Some(mut rest) = text.strip_prefix('{') {
        while !rest.trim_start().starts_with('}') {
            rest = expand(base, rest.trim_start(), paths).trim_start().trim_start_matches(',');
        }
        return &rest.trim_start()[1..];
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    match rest.strip_prefix("::") {
        Some(rest) if name == "super" => {
            return expand(base.rsplit_once("::").map_or("", |(base, _)| base), rest, paths);
        }
        Some(rest) => return expand(&join(name), rest, paths),
        None if name == "self" || name.is_empty() => paths.push(base.to_owned()),
        None => paths.push(join(name)),
    }
    // A new name, as in `Error as E`.
    rest.find([',', '}', ';']).filter(|_| rest.starts_with(" as ")).map_or(rest, |end| &rest[end..])
}

/// The longest module that the path begins with, or `None` for a name of the root.
fn module_of(path: &str, sources: &BTreeMap<String, String>) -> Option<String> {
    let ends = [path.len()].into_iter().chain(path.rmatch_indices("::").map(|(end, _)| end));
    ends.map(|end| &path[..end]).find(|module| sources.contains_key(*module)).map(str::to_owned)
}

/// A circle of imports as a message, if there is one.
fn circle(mut graph: Graph) -> Option<String> {
    // Modules that import only from removed ones go, until only circles and the ways to them are left.
    while let Some(module) = graph.keys().find(|module| graph[*module].iter().all(|m| !graph.contains_key(m))).cloned()
    {
        graph.remove(&module);
    }
    let mut way = vec![graph.keys().next()?];
    loop {
        let next = graph[way[way.len() - 1]].iter().find(|module| graph.contains_key(*module)).expect("an import");
        let start = way.iter().position(|module| *module == next);
        way.push(next);
        if let Some(start) = start {
            return Some(format!("a circle of imports: {:?}", &way[start..]));
        }
    }
}
