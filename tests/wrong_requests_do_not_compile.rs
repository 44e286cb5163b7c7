//! What the compiler says to a wrong request, pinned to the letter.
//!
//! Another rustc words its errors differently, so the texts are compared on the compiler that they were written with
//! alone, 1.95; elsewhere the `compile_fail` doctests of each builder hold the promise. After a change that is meant, write
//! them anew with `TRYBUILD=overwrite cargo test --test wrong_requests_do_not_compile`.

use std::process::Command;

#[test]
fn the_compiler_says_which_call_is_missing() {
    let rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("--version").output();
    let version = rustc.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    if !version.starts_with("rustc 1.95.") {
        println!("not compared: the texts are those of rustc 1.95, this is {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/compile_errors/*.rs");
}
