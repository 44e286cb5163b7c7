//! The compiler's messages for wrong requests and other mistakes, to the letter.
//!
//! The `compile_fail` doctests of each builder hold for every compiler. The words differ from one rustc
//! to the next, so this test needs rustc 1.95. After an intended change, set `TRYBUILD=overwrite` to
//! write the messages again.

#[test]
fn each_mistake_has_its_message() {
    trybuild::TestCases::new().compile_fail("cases/*.rs");
}
