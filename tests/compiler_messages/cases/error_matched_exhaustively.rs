use contiguity::Error;

fn describe(error: &Error) -> &str {
    match error {
        Error::Config(_) => "settings",
        Error::Validation(_) => "request",
        Error::Refused(_) => "limit",
        Error::Transport(_) | Error::Api(_) | Error::Decode(_) => "call",
    }
}

fn main() {}
