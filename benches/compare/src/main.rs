//! The SDK beside bare ureq and a raw socket, in one run. See ../README.md.
//!
//! ```text
//! cargo run --release --manifest-path benches/compare/Cargo.toml              # everything
//! cargo run --release --manifest-path benches/compare/Cargo.toml -- calls     # without the builds
//! cargo run --release --manifest-path benches/compare/Cargo.toml -- footprint # the builds alone
//! ```

mod allocations;
mod child;
mod contestants;
mod footprint;
mod measure;
mod responder;
mod table;

use std::env;

use contestants::{What, Who};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse().expect("a number");
    match arguments[..] {
        [] => {
            table::machine();
            table::calls();
            footprint::table();
        }
        ["calls"] => {
            table::machine();
            table::calls();
        }
        ["footprint"] => {
            table::machine();
            footprint::table();
        }
        // What follows is what this program starts itself as.
        ["responder", "on-one-processor"] => {
            child::stay_on_one_processor();
            responder::serve();
        }
        ["responder", "on-all-processors"] => responder::serve(),
        ["child", "calls", who, what, count, base] => {
            child::calls(Who::named(who), What::named(what), number(count), base);
        }
        ["child", "pace", who, base] => child::pace(Who::named(who), base),
        ["child", "slices", what, threads, base] => child::slices(What::named(what), number(threads), base),
        ["child", "allocations", who, what, base] => child::allocations(Who::named(who), What::named(what), base),
        ["child", "bursts", who, bursts, threads, base] => {
            child::bursts(Who::named(who), number(bursts), number(threads), base);
        }
        _ => panic!("give nothing, `calls` or `footprint`"),
    }
}
