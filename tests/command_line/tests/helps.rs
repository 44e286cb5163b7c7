//! `--help` says everything, and shells complete it.

use command_line::{VARIABLES, contiguity, run};

const COMMANDS: [&[&str]; 12] = [
    &[],
    &["send"],
    &["verify"],
    &["resend"],
    &["sign-in"],
    &["reverse"],
    &["reverse", "start"],
    &["reverse", "status"],
    &["reverse", "cancel"],
    &["reverse", "wait"],
    &["sandbox"],
    &["completions"],
];

#[test]
fn the_help_of_each_command_has_examples_and_what_scripts_need() {
    for command in COMMANDS {
        let help = run(contiguity(command).arg("--help"));
        assert_eq!(help.status, 0);
        let lines: Vec<&str> = help.stdout.lines().collect();
        let has = |section: &str| assert!(lines.contains(&section), "{command:?} has no {section}:\n{}", help.stdout);
        has("Examples:");
        if !matches!(command, [] | ["reverse" | "completions"]) {
            has("Exit status:");
            assert!(lines.iter().any(|line| line.starts_with("  2  ")), "{command:?} has no exit status 2");
            has("JSON:");
            has("      --json");
        }
        if command.is_empty() {
            has("Exit status:");
            has("Environment:");
            for variable in VARIABLES.iter().filter(|variable| variable.starts_with("CONTIGUITY_")) {
                assert!(help.stdout.contains(variable), "{variable}");
            }
        }
        for line in lines {
            assert!(line.chars().count() <= 100, "{command:?}: {line}");
            // rustdoc's marks mean nothing in a terminal.
            assert!(!line.contains("[`") && !line.contains("**"), "{command:?}: {line}");
        }
        // The same page.
        let short = run(contiguity(&["help"]).args(command));
        assert_eq!(short.stdout, help.stdout);
    }
}

#[test]
fn the_examples_of_the_help_are_accepted() {
    for command in COMMANDS {
        let help = run(contiguity(command).arg("--help")).stdout;
        let (_, examples) = help.split_once("Examples:\n").unwrap();
        for line in examples.lines().filter_map(|line| line.trim().split_once("contiguity ")) {
            let arguments = line.1.replace("'(415) 555-2671'", "4155552671");
            let arguments = arguments.split([')', '|', '&', '>', ';']).next().unwrap();
            let arguments: Vec<&str> =
                arguments.split_whitespace().map(|word| word.trim_matches(['"', '\''])).collect();
            // Nothing is run: there is no key, and the sandbox has no port to use.
            if matches!(arguments[0], "sandbox" | "completions") {
                continue;
            }
            let refused = run(&mut contiguity(&arguments));
            assert_eq!(refused.status, 1, "{arguments:?}: {}", refused.printed());
            assert!(refused.printed().contains("no API key"), "{arguments:?}: {}", refused.printed());
        }
    }
}

#[test]
fn without_a_command_the_help_is_shown_and_the_status_is_2() {
    for command in [&[][..], &["reverse"]] {
        let help = run(&mut contiguity(command));
        assert_eq!((help.status, help.stdout.as_str()), (2, ""));
        assert!(help.stderr.contains("Usage: contiguity"), "{}", help.stderr);
    }
    for wrong in [&["nothing"][..], &["send"], &["send", "+14155552671"], &["sandbox", "--port", "65536"]] {
        assert_eq!(run(&mut contiguity(wrong)).status, 2, "{wrong:?}");
    }
}

#[test]
fn the_version_is_that_of_the_crate() {
    let manifest = include_str!("../../../Cargo.toml");
    let version = manifest.lines().find_map(|line| line.strip_prefix("version = ")).unwrap().trim_matches('"');
    assert_eq!(run(&mut contiguity(&["--version"])).stdout, format!("contiguity {version}\n"));
}

#[test]
fn each_shell_completes_all_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(&mut contiguity(&["completions", shell]));
        assert_eq!((script.status, script.stderr.as_str()), (0, ""));
        for word in ["sign-in", "resend", "sandbox", "allow-host", "success-url"] {
            assert!(script.stdout.contains(word), "{shell} has no {word}");
        }
    }
    // Not every shell completes values.
    assert!(run(&mut contiguity(&["completions", "bash"])).stdout.contains("imessage"));
    assert_eq!(run(&mut contiguity(&["completions", "csh"])).status, 2);
}

#[test]
fn bash_runs_its_completions() {
    let script = r#"
        source <("$0" completions bash)
        COMP_WORDS=(contiguity si) COMP_CWORD=1
        _contiguity contiguity si contiguity
        echo "${COMPREPLY[@]}"
    "#;
    let mut bash = assert_cmd::Command::new("bash");
    bash.args(["-c", script]).arg(&*command_line::PROGRAM);
    assert_eq!(run(&mut bash).stdout, "sign-in\n");
}

#[test]
fn a_reader_that_stops_reading_completions_is_no_error() {
    let mut shell = assert_cmd::Command::new("sh");
    shell.args(["-c", "\"$0\" completions bash | head -n 1"]).arg(&*command_line::PROGRAM);
    let head = run(&mut shell);
    assert_eq!((head.status, head.stderr.as_str()), (0, ""));
}
