//! The public API of this crate with all features, item by item.
//!
//! `public-api.txt` lists it, so that every change to it is seen in review. The JSON of rustdoc differs
//! from one version to the next, so these tests need Rust 1.95. After an intended change, set
//! `UPDATE_SNAPSHOTS=yes` to write the list again.

#![cfg(test)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use public_api::PublicApi;

static API: LazyLock<PublicApi> = LazyLock::new(|| {
    public_api::Builder::from_rustdoc_json(rustdoc_json())
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()
        .expect("JSON of this version of rustdoc")
});

#[test]
fn a_change_to_the_api_changes_its_list() {
    API.assert_eq_or_update(Path::new(env!("CARGO_MANIFEST_DIR")).join("public-api.txt"));
}

/// Another crate's type in the API would make each of its major versions one of ours.
#[test]
fn public_types_are_of_this_crate_or_std_or_traits_of_serde() {
    let foreign: BTreeSet<String> =
        API.items().flat_map(|item| paths(&item.to_string())).filter(|path| !is_ours_or_allowed(path)).collect();
    assert!(foreign.is_empty(), "types of other crates are in the public API: {foreign:#?}");
}

fn is_ours_or_allowed(path: &str) -> bool {
    const SERDE: [&str; 4] = [
        "serde_core::de::Deserialize",
        "serde_core::de::Deserializer",
        "serde_core::ser::Serialize",
        "serde_core::ser::Serializer",
    ];
    let root = path.split("::").next().expect("the first part");
    ["contiguity", "std", "core", "alloc"].contains(&root) || SERDE.contains(&path)
}

/// The paths in an item that begin with the name of a crate.
fn paths(item: &str) -> Vec<String> {
    item.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':')
        .filter(|path| path.contains("::") && path.starts_with(|c: char| c.is_ascii_lowercase()))
        .map(str::to_owned)
        .collect()
}

/// Documents the crate as JSON.
fn rustdoc_json() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.join("../..");
    let target = root.join("target");
    let status = Command::new(env!("CARGO"))
        .args(["rustdoc", "--quiet", "--locked", "--lib", "--all-features", "--target-dir"])
        .arg(&target)
        .args(["--", "-Zunstable-options", "--output-format=json", "--cap-lints=allow"])
        .current_dir(root)
        .env("RUSTDOC", here.join("rustdoc"))
        .status()
        .expect("cargo runs");
    assert!(status.success(), "rustdoc wrote no JSON");
    target.join("doc/contiguity.json")
}
