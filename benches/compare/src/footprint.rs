//! What a build costs: crates, size and time of the smallest program that sends one OTP.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use std::{env, fs, process};

/// Cargo's own release profile, stripped: what a user would measure first.
const PROFILE: &str = "[profile.release]\nstrip = true\n";

pub fn table() {
    let lean = Program {
        name: "lean SDK",
        main: include_str!("../footprint/sdk.rs"),
        dependencies: sdk("default-features = false, features = [\"rustls\"]"),
    };
    let default = Program { name: "default SDK", main: lean.main, dependencies: sdk("") };
    let bare = Program {
        name: "bare ureq",
        main: include_str!("../footprint/bare.rs"),
        dependencies: "ureq = { version = \"3.5\", default-features = false, features = [\"rustls\", \"json\"] }\n\
                       serde = { version = \"1.0\", features = [\"derive\"] }\n\
                       serde_json = \"1.0\"\n"
            .to_owned(),
    };
    println!("| build (release, stripped) | crates | size, KiB | clean build, s | size ÷ bare | time ÷ bare |");
    println!("|---|--:|--:|--:|--:|--:|");
    let programs = [bare, lean, default];
    let mut footprints = programs.each_ref().map(Program::measure);
    for (program, footprint) in programs.iter().zip(&mut footprints) {
        // The first build of all reads every source from the disk for the others: each one's faster time counts.
        footprint.seconds = footprint.seconds.min(program.measure().seconds);
    }
    for (program, footprint) in programs.iter().zip(&footprints) {
        footprint.row(program.name, &footprints[0]);
    }
    println!();
    println!("The default build's difference to the lean one is the feature `phonenumber`.");
}

struct Program {
    name: &'static str,
    main: &'static str,
    dependencies: String,
}

struct Footprint {
    crates: usize,
    kib: f64,
    seconds: f64,
}

impl Program {
    fn measure(&self) -> Footprint {
        let place = env::temp_dir().join(format!("contiguity-footprint-{}", process::id()));
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(place.join("src")).expect("a directory");
        let mut manifest = "[package]\nname = \"smallest\"\nversion = \"0.0.0\"\nedition = \"2024\"\n".to_owned();
        let _ = write!(manifest, "[workspace]\n{PROFILE}[dependencies]\n{}", self.dependencies);
        fs::write(place.join("Cargo.toml"), manifest).expect("a manifest");
        fs::write(place.join("src/main.rs"), self.main).expect("a program");
        // The same versions for everybody.
        fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock"), place.join("Cargo.lock"))
            .expect("a lock file");
        let tree = cargo(&place, &["tree", "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
        let mut crates: Vec<&str> = tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
        crates.sort_unstable();
        crates.dedup();
        cargo(&place, &["fetch"]);
        let began = Instant::now();
        cargo(&place, &["build", "--release", "--quiet"]);
        let seconds = began.elapsed().as_secs_f64();
        let size = fs::metadata(place.join("target/release/smallest")).expect("a program").len();
        let _ = fs::remove_dir_all(&place);
        // The program itself is none.
        Footprint { crates: crates.len() - 1, kib: size as f64 / 1024.0, seconds }
    }
}

impl Footprint {
    fn row(&self, name: &str, bare: &Self) {
        let Self { crates, kib, seconds } = self;
        let (size, time) = (kib / bare.kib, seconds / bare.seconds);
        println!("| {name} | {crates} | {kib:.0} | {seconds:.1} | {size:.2}× | {time:.2}× |");
    }
}

fn sdk(features: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let comma = if features.is_empty() { "" } else { ", " };
    format!("contiguity = {{ path = \"{path}\"{comma}{features} }}\n")
}

fn cargo(place: &Path, arguments: &[&str]) -> String {
    let output = Command::new("cargo")
        .args(arguments)
        .current_dir(place)
        .env("CARGO_TARGET_DIR", place.join("target"))
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
