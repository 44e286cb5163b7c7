use contiguity::{Challenge, Client, Error};

fn resend(challenge: Challenge, client: &Client) -> Result<(), Error> {
    challenge.resend(client)
}

fn main() {}
