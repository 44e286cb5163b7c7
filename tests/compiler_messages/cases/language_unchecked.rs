use contiguity::{Language, LanguageTag};

fn main() {
    let _ = Language::Other(LanguageTag("not a tag".into()));
}
